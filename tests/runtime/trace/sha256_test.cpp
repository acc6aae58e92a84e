#include "runtime/trace/sha256.hpp"

#include "tests/support/catch.hpp"

using fathom::trace::Sha256;

TEST_CASE("a hash of pieces is that of the whole", "[runtime]") {
  Sha256 hash;
  CHECK(hash.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  hash.update("a");
  hash.update("");
  hash.update("bc");
  // FIPS 180-2, appendix B.1.
  CHECK(hash.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("the tail of a hash is not kept", "[runtime]") {
  Sha256 hash;
  hash.update("a");
  CHECK(hash.hex("bc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  hash.update("b");
  CHECK(hash.hex("c") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
