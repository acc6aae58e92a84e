// What a snapshot costs beside git doing as much in the same tree, interleaved, medians; goals in
// ms.
//
// - snapshot warm: take() in a tree of 5,000 files where one file changed; peer: `git add -A` and
//   `git write-tree`
// - the same where nothing changed; peer: `git status --porcelain`
// - restore: 300 changed files of the 5,000 go back, after the snapshot at the run's end; peer:
// `git checkout-index -f` of the same
// - snapshot cold: the first one; peer: the first `git add -A`
#include "runtime/base/ensure.hpp"
#include "tests/bench/tools_bench.hpp"
#include "tests/support/run_program.hpp"
#include "tests/support/temp_dir.hpp"
#include "tools/git/snapshots.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

namespace fathom::tools {
namespace {

using Watch = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr int kFiles = 5'000;
constexpr int kFolders = 250;
constexpr int kRestored = 300;
constexpr int kRounds = 21;

template <class Work>
double time_us(Work work) {
  const auto began = Watch::now();
  work();
  return std::chrono::duration<double, std::micro>(Watch::now() - began).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

class Tree {
 public:
  Tree() {
    for (int i = 0; i < kFiles; ++i) write(i, "first");
    std::ofstream(root_ / ".gitignore") << "*.o\nbuild/\n/out\nnode_modules/\n*.pyc\n*.log\n";
    git({"init", "-q"});
  }

  void write(int i, const std::string& text) {
    const fs::path folder = root_ / ("part" + std::to_string(i % kFolders / 10)) /
                            ("folder" + std::to_string(i % kFolders));
    fs::create_directories(folder);
    std::string content;
    for (int line = 0; line < 60; ++line)
      content += text + " line " + std::to_string(line * kFiles + i) + " of a source file\n";
    std::ofstream(folder / ("file" + std::to_string(i) + ".cpp")) << content;
  }

  void git(std::vector<std::string> words) {
    std::vector<std::string> argv = {"git", "-C", root_.string()};
    argv.insert(argv.end(), words.begin(), words.end());
    ENSURE(test::run_program(argv).exit_code == 0, "git is installed and the tree is its own");
  }

  Snapshots snapshots() {
    auto opened = Snapshots::open({dir_ / "state", root_, {}, {}});
    ENSURE(opened.has_value(), "a fresh folder");
    return *std::move(opened);
  }

 private:
  test::TempDir dir_;
  fs::path root_ = dir_ / "workspace";
};

struct Samples {
  std::vector<double> ours;
  std::vector<double> theirs;
};

void add_row(BenchReport& report, std::string name, const Samples& samples, std::string peer,
             double goal_ms) {
  BenchReport::Row row;
  row.name = std::move(name);
  row.median_us = median(samples.ours);
  row.peer_us = median(samples.theirs);
  row.peer = std::move(peer);
  row.ratio = row.median_us / row.peer_us;
  row.us_max = goal_ms * 1000;
  report.rows.push_back(std::move(row));
}

SnapshotId take(Snapshots& snapshots) {
  auto taken = snapshots.take("bench");
  ENSURE(taken.has_value(), "a workspace of our own");
  return taken->record.id;
}

}  // namespace

void run_git_bench(BenchReport& report) {
  Tree tree;
  Snapshots snapshots = tree.snapshots();
  const auto add_all = [&] {
    tree.git({"add", "-A"});
    tree.git({"write-tree"});
  };
  Samples cold;
  cold.ours.push_back(time_us([&] { take(snapshots); }));
  cold.theirs.push_back(time_us(add_all));
  Samples changed;
  Samples same;
  for (int round = 0; round < kRounds; ++round) {
    tree.write(round, "changed");
    changed.ours.push_back(time_us([&] { take(snapshots); }));
    changed.theirs.push_back(time_us(add_all));
    same.ours.push_back(time_us([&] { take(snapshots); }));
    same.theirs.push_back(time_us([&] { tree.git({"status", "--porcelain"}); }));
  }
  const SnapshotId id = take(snapshots);
  Samples restored;
  for (int round = 0; round < kRounds / 3; ++round) {
    const auto spoil = [&] {
      for (int i = 0; i < kRestored; ++i)
        tree.write(i * (kFiles / kRestored), "spoilt " + std::to_string(round));
    };
    spoil();
    const SnapshotId left = take(snapshots);
    restored.ours.push_back(time_us([&] {
      const auto done = snapshots.restore(id, left, Conflicts::stop);
      ENSURE(done && done->report.changed.size() == kRestored, "all that was spoilt");
    }));
    spoil();
    restored.theirs.push_back(time_us([&] { tree.git({"checkout-index", "-f", "-a", "-q"}); }));
  }
  add_row(report, "snapshot of 5,000 files, cold", cold, "git add -A, git write-tree", 0);
  add_row(report, "snapshot, one file changed", changed, "git add -A, git write-tree", 100);
  add_row(report, "snapshot, nothing changed", same, "git status", 100);
  add_row(report, "restore of 300 files", restored, "git checkout-index -f -a", 250);
}

}  // namespace fathom::tools
