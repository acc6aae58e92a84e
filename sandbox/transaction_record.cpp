#include "sandbox/transaction_record.hpp"

#include "sandbox/nul_fields.hpp"

namespace fathom::sandbox {
namespace {

constexpr std::string_view kMagic = "fathom-transaction 1";

}  // namespace

std::string encode_record(const TransactionRecord& record) {
  std::string out;
  add_field(out, kMagic);
  add_field(out, record.workspace);
  add_field(out, record.device);
  add_field(out, record.inode);
  add_field(out, static_cast<std::uint64_t>(record.began_ns));
  return out;
}

Result<TransactionRecord> decode_record(std::string_view bytes) {
  FieldReader fields(bytes);
  if (TRY(fields.text()) != kMagic)
    return fail(ErrorCode::bad_data, "record: not of a transaction of this version");
  TransactionRecord record;
  record.workspace = TRY(fields.text());
  if (!record.workspace.starts_with('/'))
    return fail(ErrorCode::bad_data, "record: the workspace has no absolute path");
  record.device = TRY(fields.number(UINT64_MAX));
  record.inode = TRY(fields.number(UINT64_MAX));
  record.began_ns = static_cast<std::int64_t>(TRY(fields.number(INT64_MAX)));
  if (!fields.at_end()) return fail(ErrorCode::bad_data, "record: more than its fields");
  return record;
}

}  // namespace fathom::sandbox
