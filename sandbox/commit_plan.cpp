#include "sandbox/commit_plan.hpp"

#include "sandbox/nul_fields.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <iterator>

namespace fathom::sandbox {
namespace {

constexpr std::string_view kMagic = "fathom-commit 1";

Step step_of(const Change& change, StepKind kind) {
  return {kind, change.path, change.mode, change.before, change.shared, change.text.value_or("")};
}

StepKind kind_of(const Change& change) {
  if (change.kind == ChangeKind::deleted) return StepKind::remove;
  // The further names of a file keep their bits: this one becomes a file of its own.
  if (change.kind == ChangeKind::mode_changed && !change.shared) return StepKind::set_mode;
  if (change.type == FileType::directory) return StepKind::make_folder;
  if (change.type == FileType::symlink) return StepKind::make_link;
  return change.text ? StepKind::write_text : StepKind::write_file;
}

Result<Stamp> read_stamp(FieldReader& fields) {
  constexpr std::uint64_t kTimeMax = INT64_MAX;
  Stamp stamp;
  stamp.type =
      static_cast<FileType>(TRY(fields.number(static_cast<std::uint64_t>(FileType::other))));
  stamp.device = TRY(fields.number(UINT64_MAX));
  stamp.inode = TRY(fields.number(UINT64_MAX));
  stamp.bytes = TRY(fields.number(UINT64_MAX));
  stamp.modified_ns = static_cast<std::int64_t>(TRY(fields.number(kTimeMax)));
  stamp.changed_ns = static_cast<std::int64_t>(TRY(fields.number(kTimeMax)));
  stamp.mode = static_cast<std::uint32_t>(TRY(fields.number(07777)));
  stamp.uid = static_cast<std::uint32_t>(TRY(fields.number(UINT32_MAX)));
  stamp.gid = static_cast<std::uint32_t>(TRY(fields.number(UINT32_MAX)));
  return stamp;
}

void add_stamp(std::string& out, const Stamp& stamp) {
  add_field(out, static_cast<std::uint64_t>(stamp.type));
  add_field(out, stamp.device);
  add_field(out, stamp.inode);
  add_field(out, stamp.bytes);
  add_field(out, static_cast<std::uint64_t>(std::max<std::int64_t>(stamp.modified_ns, 0)));
  add_field(out, static_cast<std::uint64_t>(std::max<std::int64_t>(stamp.changed_ns, 0)));
  add_field(out, stamp.mode);
  add_field(out, stamp.uid);
  add_field(out, stamp.gid);
}

}  // namespace

std::vector<Step> plan_commit(const std::vector<Change>& changes) {
  std::array<std::vector<Step>, 5> stages;  // folders, objects, files, removals, modes of folders
  for (const Change& change : changes) {
    if (change.fate != Fate::applied && change.fate != Fate::runs_later) continue;
    const StepKind kind = kind_of(change);
    if (kind == StepKind::make_folder) {
      stages[0].push_back(step_of(change, kind));
      Step mode = step_of(change, StepKind::set_mode);
      mode.before.reset();
      stages[4].push_back(std::move(mode));
    } else if (kind == StepKind::remove) {
      stages[3].push_back(step_of(change, kind));
    } else if (kind == StepKind::set_mode && change.type == FileType::directory) {
      stages[4].push_back(step_of(change, kind));
    } else {
      stages[change.objects_first ? 1 : 2].push_back(step_of(change, kind));
    }
  }
  std::ranges::reverse(stages[3]);
  std::ranges::reverse(stages[4]);
  std::vector<Step> steps;
  for (std::vector<Step>& stage : stages) std::ranges::move(stage, std::back_inserter(steps));
  return steps;
}

std::string encode_steps(const std::vector<Step>& steps) {
  std::string out;
  add_field(out, kMagic);
  add_field(out, steps.size());
  for (const Step& step : steps) {
    add_field(out, static_cast<std::uint64_t>(step.kind));
    add_field(out, step.path);
    add_field(out, step.mode);
    add_field(out, step.text);
    add_field(out, step.shared ? 1 : 0);
    add_field(out, step.before ? 1 : 0);
    if (step.before) add_stamp(out, *step.before);
  }
  return out;
}

Result<std::vector<Step>> decode_steps(std::string_view journal) {
  FieldReader fields(journal);
  if (TRY(fields.text()) != kMagic) return fail(ErrorCode::bad_data, "journal: not of a commit");
  const std::uint64_t count = TRY(fields.number(2 * kChangesMax));
  std::vector<Step> steps;
  for (std::uint64_t i = 0; i < count; ++i) {
    Step step;
    step.kind =
        static_cast<StepKind>(TRY(fields.number(static_cast<std::uint64_t>(StepKind::set_mode))));
    step.path = TRY(fields.text());
    if (step.path.empty() || step.path.size() > kChangePathBytesMax + NAME_MAX + 1)
      return fail(ErrorCode::bad_data, "journal: not a path");
    step.mode = static_cast<std::uint32_t>(TRY(fields.number(0777)));
    step.text = TRY(fields.text());
    step.shared = TRY(fields.number(1)) == 1;
    if (TRY(fields.number(1)) == 1) step.before = TRY(read_stamp(fields));
    steps.push_back(std::move(step));
  }
  if (!fields.at_end()) return fail(ErrorCode::bad_data, "journal: more than its steps");
  return steps;
}

}  // namespace fathom::sandbox
