// The documents that come with the program, as they lie beside this file.
#pragma once

#include <span>
#include <string_view>

namespace fathom::policies {

struct ShippedDocument {
  std::string_view name;  ///< "default"
  std::string_view text;
};

/// default.yaml first; the others stand on it.
std::span<const ShippedDocument> shipped_policies();

/// The text of one, or empty.
std::string_view shipped_policy(std::string_view name);

/// JSON Schema of policy documents.
std::string_view policy_schema();

}  // namespace fathom::policies
