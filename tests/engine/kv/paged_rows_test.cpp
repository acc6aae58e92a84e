#include "engine/kv/paged_rows.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/run_in_child.hpp"

#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <functional>
#include <vector>

using namespace fathom::engine;
using fathom::test::run_in_child;

namespace {

constexpr std::int64_t kRowsPerPage = 4;

PagedRows new_rows() { return {sizeof(std::int64_t), kRowsPerPage}; }

void append(PagedRows& rows, std::int64_t value) {
  std::memcpy(rows.append(), &value, sizeof value);
}

std::int64_t value_at(const PagedRows& rows, std::int64_t index) {
  std::int64_t value = 0;
  std::memcpy(&value, rows.row(index), sizeof value);
  return value;
}

/// The rows that are there.
std::vector<std::int64_t> values(const PagedRows& rows) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = rows.first(); i < rows.size(); ++i) out.push_back(value_at(rows, i));
  return out;
}

std::vector<std::int64_t> range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = begin; i < end; ++i) out.push_back(i);
  return out;
}

PagedRows counted(std::int64_t size) {
  PagedRows rows = new_rows();
  for (std::int64_t i = 0; i < size; ++i) append(rows, i);
  return rows;
}

bool aborts(const std::function<void()>& body) {
  const auto death = run_in_child([&](int) { body(); });
  return WIFSIGNALED(death.status) && WTERMSIG(death.status) == SIGABRT;
}

}  // namespace

TEST_CASE("rows are kept as they were appended, page after page", "[engine]") {
  const PagedRows rows = counted(11);
  CHECK(values(rows) == range(0, 11));
  CHECK(rows.contiguous(0) == 4);
  CHECK(rows.contiguous(5) == 3);
  CHECK(rows.contiguous(8) == 3);  // of a page that is not full
  CHECK(rows.bytes() == 3 * kRowsPerPage * static_cast<std::int64_t>(sizeof(std::int64_t)));
  CHECK(new_rows().bytes() == 0);
}

TEST_CASE("whichever side of a fork writes first, the other does not see it", "[engine]") {
  for (const std::int64_t shared : {1, 3, 4, 5, 8, 10})
    for (const bool original_first : {true, false}) {
      INFO(shared << " shared rows, " << (original_first ? "original" : "fork") << " first");
      PagedRows original = counted(shared);
      PagedRows fork = original;
      PagedRows& first = original_first ? original : fork;
      PagedRows& second = original_first ? fork : original;
      for (std::int64_t i = 0; i < 6; ++i) append(first, 100 + i);
      CHECK(values(second) == range(0, shared));
      for (std::int64_t i = 0; i < 6; ++i) append(second, 200 + i);
      auto expected = range(0, shared);
      for (std::int64_t i = 0; i < 6; ++i) expected.push_back(100 + i);
      CHECK(values(first) == expected);
      for (std::size_t i = 0; i < 6; ++i) expected[static_cast<std::size_t>(shared) + i] += 100;
      CHECK(values(second) == expected);
    }
}

TEST_CASE("rows that one side cuts back and writes again stay with the other", "[engine]") {
  PagedRows original = counted(10);
  PagedRows fork = original;
  fork.truncate(6);
  append(fork, -1);
  CHECK(values(original) == range(0, 10));
  original.truncate(5);
  append(original, -2);
  CHECK(values(fork) == std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, -1});
  CHECK(values(original) == std::vector<std::int64_t>{0, 1, 2, 3, 4, -2});
}

TEST_CASE("truncate forgets the end and its pages, to the first row that is kept", "[engine]") {
  for (std::int64_t size = 0; size <= 11; ++size) {
    PagedRows rows = counted(11);
    rows.truncate(size);
    CHECK(values(rows) == range(0, size));
    CHECK(rows.bytes() == (size + kRowsPerPage - 1) / kRowsPerPage * kRowsPerPage * 8);
    append(rows, size);
    append(rows, size + 1);
    CHECK(values(rows) == range(0, size + 2));
  }
  PagedRows rows = counted(11);
  rows.drop_before(8);
  rows.truncate(8);
  CHECK(rows.size() == 8);
  CHECK(values(rows).empty());
  append(rows, 8);
  CHECK(values(rows) == range(8, 9));
}

TEST_CASE("drop_before forgets whole pages and never goes back", "[engine]") {
  PagedRows rows = counted(11);
  rows.drop_before(3);
  CHECK(rows.first() == 3);
  CHECK(rows.bytes() == 3 * kRowsPerPage * 8);  // row 3 lies in the first page
  rows.drop_before(5);
  CHECK(rows.bytes() == 2 * kRowsPerPage * 8);
  rows.drop_before(2);
  CHECK(rows.first() == 5);
  CHECK(values(rows) == range(5, 11));
  rows.drop_before(100);
  CHECK(rows.first() == 11);
  append(rows, 11);
  CHECK(values(rows) == range(11, 12));
}

TEST_CASE("a sliding window stays in its pages and leaves a fork's alone", "[engine]") {
  PagedRows rows = counted(8);
  PagedRows fork = rows;
  std::int64_t most = 0;
  for (std::int64_t i = 8; i < 200; ++i) {
    append(rows, i);
    rows.drop_before(i - 5);
    most = std::max(most, rows.bytes());
    REQUIRE(values(rows) == range(i - 5, i + 1));
  }
  CHECK(most == 3 * kRowsPerPage * 8);
  CHECK(values(fork) == range(0, 8));
  for (std::int64_t i = 8; i < 30; ++i) append(fork, i);
  CHECK(values(fork) == range(0, 30));
}

TEST_CASE("after a restart the next row has the index that was named, in a fork nothing changed",
          "[engine]") {
  PagedRows rows = counted(11);
  const PagedRows fork = rows;
  rows.restart(102);
  CHECK(values(rows).empty());
  CHECK(rows.bytes() == 0);
  for (std::int64_t i = 102; i < 110; ++i) append(rows, i);
  CHECK(values(rows) == range(102, 110));
  CHECK(values(fork) == range(0, 11));
}

TEST_CASE("a row that is not there is never read or cut", "[engine]") {
  PagedRows rows = counted(11);
  rows.drop_before(6);
  CHECK(aborts([&] { value_at(rows, 11); }));
  CHECK(aborts([&] { value_at(rows, 5); }));  // its page is there, it is not
  CHECK(aborts([&] { value_at(rows, -1); }));
  CHECK(aborts([&] { rows.truncate(12); }));
  CHECK(aborts([&] { rows.truncate(5); }));
  CHECK(aborts([] { value_at(new_rows(), 0); }));
  CHECK_FALSE(aborts([&] { value_at(rows, 6); }));
}
