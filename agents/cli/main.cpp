#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
  CLI::App app("Fathom");
  app.set_version_flag("--version", "fathom 0.1.0");
  CLI11_PARSE(app, argc, argv);
}
