// Reading test reports: a JUnit file of 100,000 cases, beside pugixml's own load of the same bytes,
// which is the least that can be done with them; and a console, as every format at once.
#include "tests/bench/tools_bench.hpp"
#include "tools/reports/console_report.hpp"
#include "tools/reports/junit.hpp"

#include <pugixml.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

namespace fathom::tools {
namespace {

using Steady = std::chrono::steady_clock;

constexpr int kCases = 100'000;
constexpr int kRounds = 7;
constexpr double kGoalUs = 1e6;
constexpr std::size_t kConsoleBytes = 16UL << 20;

std::string junit_of_many() {
  std::string xml = "<?xml version=\"1.0\"?><testsuites>";
  for (int i = 0; i < kCases; ++i) {
    const std::string n = std::to_string(i);
    if (i % 100 == 0)
      xml += std::string(i > 0 ? "</testsuite>" : "") + "<testsuite name=\"suite" + n + "\">";
    xml += "<testcase classname=\"pkg.Suite" + std::to_string(i / 100) + "\" name=\"case " + n +
           "\" file=\"tests/test_x.py\" line=\"12\" time=\"0.001\">";
    if (i % 50 == 0)
      xml += "<failure message=\"1 != " + n + "\">Traceback\n  tests/test_x.py:" + n +
             ": AssertionError\n</failure><system-out>some output of the case</system-out>";
    xml += "</testcase>\n";
  }
  return xml + "</testsuite></testsuites>";
}

std::string console_of_a_build() {
  std::string text;
  for (int i = 0; text.size() < kConsoleBytes; ++i)
    text += "  [" + std::to_string(i) + "/9000] Building CXX object src/dir/CMakeFiles/a.dir/f" +
            std::to_string(i) + ".cpp.o -- with flags -O2 -g\n";
  return text;
}

template <class Work>
double micros(Work work) {
  const auto start = Steady::now();
  work();
  return std::chrono::duration<double, std::micro>(Steady::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

long resident_mib_max() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

}  // namespace

void run_reports_bench(BenchReport& report) {
  const std::string xml = junit_of_many();
  std::vector<double> ours;
  std::vector<double> peer;
  const long before = resident_mib_max();
  for (int i = 0; i < kRounds; ++i) {
    ours.push_back(micros([&] {
      const auto parsed = parse_junit(xml);
      if (!parsed || parsed->counts().total() != kCases) std::abort();
    }));
    peer.push_back(micros([&] {
      pugi::xml_document document;
      if (!document.load_buffer(xml.data(), xml.size())) std::abort();
    }));
  }
  report.rows.push_back({"junit_100k_cases", median(ours), 0, "", 0, 0, kGoalUs,
                         std::to_string(xml.size() >> 20) + " MiB, " +
                             std::to_string(resident_mib_max() - before) + " MiB more resident"});
  report.rows.push_back({"junit_100k_over_pugixml", median(ours), median(peer), "pugixml load",
                         median(ours) / median(peer), 0, 0, ""});

  const std::string text = console_of_a_build();
  std::vector<double> console;
  for (int i = 0; i < kRounds; ++i)
    console.push_back(micros([&] {
      ConsoleReport reader;
      reader.feed(text);
      if (reader.finish(ConsoleReport::Exit::bad)) std::abort();
    }));
  report.rows.push_back({"console_16mib", median(console), 0, "", 0, 0, 0,
                         std::to_string(static_cast<int>(16e6 / median(console))) + " MiB/s"});
}

}  // namespace fathom::tools
