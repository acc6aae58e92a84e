// What str_replace_editor costs beside the least that any editor must do: read the file, copy its
// bytes, write them to a temporary name and rename that. Interleaved, medians.
//
// - str_replace 1 MB: resolve, read, find the one place, write, and the lines around it
// - the same with CRLF line ends, where the text is matched with its line ends folded
// - str_replace 1 MB, absent: finding out what is nearest; peer: reading the file
// - str_replace 100 MB; view 100 MB, last lines: peer: reading the file
#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"
#include "tests/bench/tools_bench.hpp"
#include "tools/edit/edit_command.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace fathom::tools {
namespace {

using Watch = std::chrono::steady_clock;

constexpr std::size_t kSmallBytes = 1UL << 20;
constexpr std::size_t kLargeBytes = 100UL << 20;
constexpr int kSmallRounds = 101;
constexpr int kLargeRounds = 9;

struct Case {
  std::string name;
  std::size_t bytes = kSmallBytes;
  std::string_view line_end = "\n";
  bool finds = true;
  bool views = false;
  double us_max = 0;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

template <class Work>
double time_us(Work work) {
  const auto began = Watch::now();
  work();
  return std::chrono::duration<double, std::micro>(Watch::now() - began).count();
}

// Source-like: every line differs a little and resembles all others.
std::string content(const Case& bench) {
  std::string text;
  text.reserve(bench.bytes + 100);
  for (std::size_t i = 0; text.size() < bench.bytes; ++i) {
    text += "    result.push_back(lookup(table, " + std::to_string(i) + "));";
    text += bench.line_end;
    if (i % 10 != 9) continue;
    text += "  }";
    text += bench.line_end;
  }
  return text;
}

void read_whole(const std::filesystem::path& path) {
  ENSURE(read_file(path, kLargeBytes + 1'000), "the file is there");
}

void read_copy_write(const std::filesystem::path& path) {
  const std::string bytes = read_file(path, kLargeBytes + 1'000).value();
  std::string copy(bytes.size(), '\0');
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  ENSURE(write_file_atomic(path, copy, Sync::no), "the folder is writable");
}

EditRequest request_for(const HostFiles& files, const Case& bench, int round,
                        std::size_t lines_of_file) {
  EditRequest request;
  request.place = files.resolve("file.cpp").value();
  if (bench.views) {
    request.range = LineRange{lines_of_file - 20, std::nullopt};
    return request;
  }
  request.command = EditCommand::str_replace;
  const std::string line = bench.bytes == kSmallBytes ? "9000" : "900000";
  const std::string was = round == 0 ? "" : "/*" + std::to_string(round) + "*/";
  const std::string before = "    result.push_back(lookup(table, " + line + "));";
  request.old_text = before + was + "\n";
  request.new_text = before + "/*" + std::to_string(round + 1) + "*/\n";
  if (!bench.finds) request.old_text = "\tresult.push_back(lookup(table, " + line + ") );\n";
  return request;
}

void measure(BenchReport& report, const std::filesystem::path& dir, const Case& bench) {
  const std::filesystem::path path = dir / "file.cpp";
  const std::filesystem::path peer_path = dir / "peer.cpp";
  const std::string text = content(bench);
  ENSURE(write_file_atomic(path, text, Sync::no), "the folder is writable");
  ENSURE(write_file_atomic(peer_path, text, Sync::no), "the folder is writable");
  const auto files = HostFiles::create(dir, {}).value();
  const std::size_t lines = count_lines(text);
  const bool only_reads = bench.views || !bench.finds;
  std::vector<double> ours;
  std::vector<double> peers;
  for (int round = 0; round < (bench.bytes == kSmallBytes ? kSmallRounds : kLargeRounds); ++round) {
    ours.push_back(time_us([&] {
      const auto outcome = perform(*files, request_for(*files, bench, round, lines));
      ENSURE(outcome.has_value() == bench.finds, "the text is there, or meant not to be");
    }));
    peers.push_back(
        time_us([&] { only_reads ? read_whole(peer_path) : read_copy_write(peer_path); }));
  }
  BenchReport::Row row;
  row.name = bench.name;
  row.median_us = median(ours);
  row.peer_us = median(peers);
  row.peer = only_reads ? "read" : "read, copy, write, rename";
  row.ratio = row.median_us / row.peer_us;
  row.us_max = bench.us_max;
  report.rows.push_back(std::move(row));
}

}  // namespace

void run_edit_bench(BenchReport& report) {
  std::string dir = (std::filesystem::temp_directory_path() / "fathom-edit-XXXXXX").string();
  ENSURE(::mkdtemp(dir.data()) != nullptr, "a temporary folder can be made");
  measure(report, dir, {"str_replace 1 MB", kSmallBytes, "\n", true, false, 5'000});
  measure(report, dir, {"str_replace 1 MB, CRLF", kSmallBytes, "\r\n", true, false, 5'000});
  measure(report, dir, {"str_replace 1 MB, absent", kSmallBytes, "\n", false, false, 0});
  measure(report, dir, {"str_replace 100 MB", kLargeBytes, "\n", true, false, 0});
  measure(report, dir, {"view 100 MB, last lines", kLargeBytes, "\n", true, true, 0});
  std::filesystem::remove_all(dir);
}

}  // namespace fathom::tools
