#include "engine/kv/paged_rows.hpp"

#include "runtime/base/ensure.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace fathom::engine {

namespace {

struct alignas(64) Line {
  std::byte bytes[64];
};

}  // namespace

struct PagedRows::Page {
  explicit Page(std::int64_t bytes)
      : lines(std::make_unique_for_overwrite<Line[]>(static_cast<std::size_t>((bytes + 63) / 64))) {
  }
  [[nodiscard]] std::byte* data() const { return lines[0].bytes; }

  std::unique_ptr<Line[]> lines;
};

const PagedRows::Page& PagedRows::page_of(std::int64_t index) const {
  const std::int64_t first_page = first_ / rows_per_page_;
  return *pages_[static_cast<std::size_t>(index / rows_per_page_ - first_page)];
}

std::shared_ptr<PagedRows::Page> PagedRows::new_page() {
  while (!spares_.empty()) {
    auto page = std::move(spares_.back());
    spares_.pop_back();
    if (page.use_count() == 1) return page;
  }
  return std::make_shared<Page>(row_bytes_ * rows_per_page_);
}

void PagedRows::keep_spare(std::shared_ptr<Page> page) {
  const std::int64_t spares_max = (kSpareRows + rows_per_page_ - 1) / rows_per_page_ + 1;
  if (static_cast<std::int64_t>(spares_.size()) < spares_max) spares_.push_back(std::move(page));
}

std::byte* PagedRows::append() {
  const std::int64_t at = size_ % rows_per_page_;
  const auto page = static_cast<std::size_t>(size_ / rows_per_page_ - first_ / rows_per_page_);
  if (page == pages_.size()) {
    pages_.push_back(new_page());
  } else if (pages_[page].use_count() > 1) {
    auto own = new_page();
    std::memcpy(own->data(), pages_[page]->data(), static_cast<std::size_t>(at * row_bytes_));
    pages_[page] = std::move(own);
  }
  ++size_;
  return pages_[page]->data() + at * row_bytes_;
}

const std::byte* PagedRows::row(std::int64_t index) const {
  ENSURE(index >= first_ && index < size_, "only rows that are kept are read");
  return page_of(index).data() + index % rows_per_page_ * row_bytes_;
}

std::int64_t PagedRows::contiguous(std::int64_t index) const {
  return std::min(rows_per_page_ - index % rows_per_page_, size_ - index);
}

void PagedRows::truncate(std::int64_t size) {
  ENSURE(size >= first_ && size <= size_, "only rows that are kept are cut");
  size_ = size;
  const std::int64_t pages = (size + rows_per_page_ - 1) / rows_per_page_ - first_ / rows_per_page_;
  while (static_cast<std::int64_t>(pages_.size()) > std::max<std::int64_t>(pages, 0)) {
    keep_spare(std::move(pages_.back()));
    pages_.pop_back();
  }
}

void PagedRows::drop_before(std::int64_t index) {
  index = std::clamp(index, first_, size_);
  const auto end = pages_.begin() + (index / rows_per_page_ - first_ / rows_per_page_);
  for (auto page = pages_.begin(); page != end; ++page) keep_spare(std::move(*page));
  pages_.erase(pages_.begin(), end);
  first_ = index;
}

void PagedRows::restart(std::int64_t index) {
  for (std::shared_ptr<Page>& page : pages_) keep_spare(std::move(page));
  pages_.clear();
  first_ = size_ = index;
}

std::int64_t PagedRows::bytes() const {
  return static_cast<std::int64_t>(pages_.size()) * row_bytes_ * rows_per_page_;
}

}  // namespace fathom::engine
