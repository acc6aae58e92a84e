// What models are told of the built-in tools, byte for byte and in order: tests/golden/
// tool_schemas.txt. UPDATE_GOLDEN=1 writes it anew. A change in it is a change of every session's
// prefix: caches of it are lost, and a model that was trained on the old words sees new ones.
#include "agents/toolbox.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <fstream>

using namespace fathom;

TEST_CASE("built-in tools are described by the bytes of the golden file, in its order",
          "[agents]") {
  std::string told;
  const auto docs = agents::tool_docs();
  REQUIRE(docs);
  for (const agents::ToolDoc& doc : *docs)
    told += doc.spec.name + (doc.is_default ? " [default]" : "") + "\n" + doc.spec.description +
            "\n" + doc.spec.parameters + "\n\n";
  const std::string path = "tests/golden/tool_schemas.txt";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << told;
  CHECK(told == test::slurp(path));
}
