#include "runtime/trace/blob_store.hpp"

#include "runtime/base/ensure.hpp"
#include "runtime/base/file.hpp"
#include "runtime/base/unique_fd.hpp"
#include "runtime/trace/sha256.hpp"

#include <zstd.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <utility>

namespace fathom::trace {
namespace {

constexpr std::string_view kPrefix = "sha256:";
constexpr std::size_t kHexDigits = 64;
constexpr int kLevel = 3;  // zstd's default: about 300 MB/s a core on text, a third of its size

template <auto Free>
struct FreeWith {
  void operator()(auto* pointer) const { Free(pointer); }
};

}  // namespace

struct BlobWriter::State {
  std::filesystem::path dir;
  std::filesystem::path temporary;
  UniqueFd fd;
  std::unique_ptr<ZSTD_CCtx, FreeWith<ZSTD_freeCCtx>> zstd{ZSTD_createCCtx()};
  Sha256 hash;
  std::uint64_t bytes = 0;
  std::optional<Error> failed;  ///< of a piece that got lost: what is in the file has no name
  std::string out = std::string(ZSTD_CStreamOutSize(), '\0');

  ~State() {
    if (!temporary.empty()) ::unlink(temporary.c_str());
  }

  Result<> compress(std::string_view piece, ZSTD_EndDirective directive) {
    ZSTD_inBuffer input{piece.data(), piece.size(), 0};
    for (;;) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const std::size_t left = ZSTD_compressStream2(zstd.get(), &output, &input, directive);
      if (ZSTD_isError(left))
        return fail(ErrorCode::io, std::string("compress blob: ") + ZSTD_getErrorName(left));
      TRY(write_all(fd.get(), std::string_view(out).substr(0, output.pos), temporary.string()));
      if (directive == ZSTD_e_end ? left == 0 : input.pos == input.size) return {};
    }
  }
};

BlobWriter::BlobWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
BlobWriter::~BlobWriter() = default;
BlobWriter::BlobWriter(BlobWriter&&) noexcept = default;

Result<> BlobWriter::append(std::string_view bytes) {
  ENSURE(state_, "nothing is appended after finish()");
  const std::uint64_t room = BlobStore::kBlobBytesMax - state_->bytes;
  const std::string_view taken = bytes.substr(0, std::min<std::uint64_t>(room, bytes.size()));
  if (const auto compressed = state_->compress(taken, ZSTD_e_continue); !compressed) {
    state_->failed = compressed.error();
    return compressed;
  }
  state_->hash.update(taken);
  state_->bytes += taken.size();
  if (taken.size() < bytes.size())
    return fail(
        ErrorCode::too_large,
        "blob larger than " + std::to_string(BlobStore::kBlobBytesMax) + " bytes: the rest is cut");
  return {};
}

Result<BlobRef> BlobWriter::finish() {
  ENSURE(state_, "a blob is finished once");
  // Taken out, so that the temporary file is gone when this returns, whatever the outcome.
  const std::unique_ptr<State> taken = std::move(state_);
  State& state = *taken;
  if (state.failed) return fail(*state.failed);
  TRY(state.compress({}, ZSTD_e_end));
  BlobRef ref{std::string(kPrefix) + state.hash.hex(), state.bytes};
  const std::string_view hex = std::string_view(ref.name).substr(kPrefix.size());
  const std::filesystem::path folder = state.dir / hex.substr(0, 2);
  const std::filesystem::path path = folder / (std::string(hex.substr(2)) + ".zst");
  if (::access(path.c_str(), F_OK) == 0) return ref;
  if (::fdatasync(state.fd.get()) != 0)
    return fail(system_error("sync blob " + path.string(), errno));
  TRY(create_private_dirs(folder));
  if (::rename(state.temporary.c_str(), path.c_str()) != 0)
    return fail(system_error("rename blob to " + path.string(), errno));
  state.temporary.clear();
  TRY(sync_dir(folder));
  return ref;
}

Result<BlobStore> BlobStore::open(std::filesystem::path dir) {
  TRY(create_private_dirs(dir));
  return BlobStore(std::move(dir));
}

Result<BlobWriter> BlobStore::writer() const {
  static std::atomic<unsigned> counter = 0;
  auto state = std::make_unique<BlobWriter::State>();
  state->dir = dir_;
  const std::filesystem::path temporary =
      dir_ / ("tmp." + std::to_string(::getpid()) + "." + std::to_string(counter++));
  state->fd.reset(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!state->fd) return fail(system_error("write blob " + temporary.string(), errno));
  state->temporary = temporary;
  ZSTD_CCtx_setParameter(state->zstd.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(state->zstd.get(), ZSTD_c_checksumFlag, 1);
  return BlobWriter(std::move(state));
}

Result<BlobRef> BlobStore::put(std::string_view bytes) const {
  BlobWriter blob = TRY(writer());
  TRY(blob.append(bytes));
  return blob.finish();
}

Result<std::filesystem::path> BlobStore::path_of(std::string_view name) const {
  const std::string_view hex = name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : "";
  // The check keeps `../` and friends out of the path as well.
  const bool is_hex = hex.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (hex.size() != kHexDigits || !is_hex)
    return fail(ErrorCode::usage, "not a blob's name (sha256: and 64 hexadecimal digits)");
  return dir_ / hex.substr(0, 2) / (std::string(hex.substr(2)) + ".zst");
}

bool BlobStore::contains(std::string_view name) const {
  const auto path = path_of(name);
  return path && ::access(path->c_str(), F_OK) == 0;
}

Result<> BlobStore::each_piece(std::string_view name,
                               const std::function<Result<>(std::string_view)>& take) const {
  const std::filesystem::path path = TRY(path_of(name));
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error("blob " + std::string(name), errno));
  const auto damaged = [&](std::string_view why) {
    return fail(ErrorCode::bad_data, "blob " + std::string(name) + " is damaged (" +
                                         std::string(why) + "): delete " + path.string());
  };
  std::unique_ptr<ZSTD_DCtx, FreeWith<ZSTD_freeDCtx>> zstd{ZSTD_createDCtx()};
  std::string in(ZSTD_DStreamInSize(), '\0');
  std::string out(ZSTD_DStreamOutSize(), '\0');
  Sha256 hash;
  std::uint64_t at = 0;
  std::size_t hint = 1;
  for (std::size_t file_at = 0;;) {
    const std::size_t got = TRY(read_at(fd.get(), in.data(), in.size(), file_at, path.string()));
    if (got == 0) break;
    file_at += got;
    ZSTD_inBuffer input{in.data(), got, 0};
    // Output can be left over when all input is taken, so this also goes on while the out buffer
    // came back full.
    bool full = false;
    while (input.pos < input.size || full) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      hint = ZSTD_decompressStream(zstd.get(), &output, &input);
      if (ZSTD_isError(hint)) return damaged(ZSTD_getErrorName(hint));
      const std::string_view piece = std::string_view(out).substr(0, output.pos);
      hash.update(piece);
      TRY(take(piece));
      at += piece.size();
      if (at > kBlobBytesMax) return damaged("larger than a blob can be");
      full = output.pos == output.size && hint != 0;
    }
  }
  if (hint != 0) return damaged("cut short");
  if (hash.hex() != name.substr(kPrefix.size())) return damaged("the bytes have another name");
  return {};
}

Result<std::string> BlobStore::read(std::string_view name, std::uint64_t offset,
                                    std::size_t bytes_max) const {
  std::string result;
  std::uint64_t at = 0;
  TRY(each_piece(name, [&](std::string_view piece) -> Result<> {
    const std::uint64_t skip = offset > at ? std::min<std::uint64_t>(offset - at, piece.size()) : 0;
    result += piece.substr(skip, bytes_max - result.size());
    at += piece.size();
    return {};
  }));
  return result;
}

Result<std::uint64_t> BlobStore::copy_to(std::string_view name, int fd,
                                         std::uint64_t bytes_max) const {
  std::uint64_t written = 0;
  TRY(each_piece(name, [&](std::string_view piece) -> Result<> {
    const auto taken = piece.substr(0, std::min<std::uint64_t>(bytes_max - written, piece.size()));
    written += taken.size();
    return write_all(fd, taken, "copy of a blob");
  }));
  return written;
}

}  // namespace fathom::trace
