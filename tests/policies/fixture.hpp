// What policy documents stand on in tests.
#pragma once

#include "policies/policy_load.hpp"

#include <string>

namespace fathom::policies {

inline LoadContext test_context(std::string id_prefix = "") {
  return {.workspace = "/home/u/w",
          .home = "/home/u",
          .own_folders = {"/home/u/.config/fathom", "/home/u/.local/state/fathom"},
          .id_prefix = std::move(id_prefix)};
}

/// A document with the header in front; its first line is line 4.
inline std::string document(const std::string& body) {
  return "apiVersion: fathom/v1\nkind: Policy\nname: mine\n" + body;
}

/// What is wrong with the document, or "accepted".
inline std::string load_error(const std::string& body) {
  const auto policy = load_policy(document(body), "p.yaml", test_context());
  return policy ? "accepted" : policy.error().message;
}

}  // namespace fathom::policies
