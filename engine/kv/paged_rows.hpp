// Rows of bytes that grow at the end, are cut back there and forgotten at the front: what one layer
// keeps of the tokens it has seen.
//
// Rows lie in pages of a fixed number of rows. A copy shares all pages with the original; whoever
// writes to a shared page first gets its own. So a fork costs a list of pointers, whatever the
// length, and a page that is full and shared never changes: the persistent store may keep it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fathom::engine {

class PagedRows {
 public:
  PagedRows() = default;
  PagedRows(std::int64_t row_bytes, std::int64_t rows_per_page)
      : row_bytes_(row_bytes), rows_per_page_(rows_per_page) {}

  /// Pages that were dropped or cut are kept for as many rows, and one more, so that neither a
  /// sliding window allocates nor drafts that are taken back: a step appends before it drops.
  static constexpr std::int64_t kSpareRows = 16;

  /// Rows ever appended and not cut back; the last has index size() - 1.
  [[nodiscard]] std::int64_t size() const { return size_; }
  /// The oldest row that is still there.
  [[nodiscard]] std::int64_t first() const { return first_; }
  [[nodiscard]] std::int64_t row_bytes() const { return row_bytes_; }

  /// A new last row, to be filled by the caller; valid until the next change of this object.
  std::byte* append();
  [[nodiscard]] const std::byte* row(std::int64_t index) const;
  /// Rows from `index` on that lie without gaps behind each other.
  [[nodiscard]] std::int64_t contiguous(std::int64_t index) const;

  /// Forgets all rows from `size` on; no more than what is there.
  void truncate(std::int64_t size);
  /// Allows rows before `index` to be forgotten; whole pages are.
  void drop_before(std::int64_t index);
  /// Forgets everything; the next row has this index.
  void restart(std::int64_t index);

  /// Memory of the pages that this object refers to, shared or not.
  [[nodiscard]] std::int64_t bytes() const;

 private:
  struct Page;

  [[nodiscard]] const Page& page_of(std::int64_t index) const;
  [[nodiscard]] std::shared_ptr<Page> new_page();
  void keep_spare(std::shared_ptr<Page> page);

  std::int64_t row_bytes_ = 0;
  std::int64_t rows_per_page_ = 1;
  std::int64_t size_ = 0;
  std::int64_t first_ = 0;
  // Not a deque, which allocates as its ends move: few pages are ever dropped at the front.
  std::vector<std::shared_ptr<Page>> pages_;
  std::vector<std::shared_ptr<Page>> spares_;  ///< may be shared with forks
};

}  // namespace fathom::engine
