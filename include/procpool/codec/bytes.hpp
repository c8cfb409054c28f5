// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Writer and Reader: how values become bytes in memory somebody else provides, and values again.

#include <procpool/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

namespace procpool {

/// What an address means to the process that will decode the bytes.
enum class Place : std::uint8_t {
    common,   ///< the same there: code, constants and statics of the program, null; or no address at all
    shared,   ///< in shared memory: the same bytes there
    private_  ///< a stack or heap address of this process: means nothing there
};

/// Tells where an address lies; what it answers depends on where the bytes go.
using PlaceOf = Place (*)(const void* address);

/// To a thread of the same process every address means the same.
[[nodiscard]] inline Place place_in_this_process(const void*) { return Place::shared; }
/// Knows nothing, so allows nothing.
[[nodiscard]] inline Place place_unknown(const void* address) {
    return address == nullptr ? Place::common : Place::private_;
}

/// Appends bytes to a buffer; asks its owner for a larger one when it is full.
/// Called by: one thread; parent for arguments, worker for results.
class Writer {
public:
    /// Effects: makes a buffer of at least `need` bytes that starts with the first `used` bytes of `current`. Throws when it cannot.
    using Grow = std::span<std::byte> (*)(void* owner, std::span<std::byte> current, std::size_t used, std::size_t need);

    Writer(std::span<std::byte> buffer, Grow grow, void* owner, PlaceOf where = place_unknown) noexcept
        : buffer_(buffer), grow_(grow), owner_(owner), place_of_(where) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// Returns: `count` bytes of the buffer to be filled, valid until the next call. They are not aligned.
    [[nodiscard]] std::byte* claim(std::size_t count) {
        if (count > buffer_.size() - used_) [[unlikely]] { reserve(count); }
        return buffer_.data() + std::exchange(used_, used_ + count);
    }

    void write(const void* bytes, std::size_t count) {
        if (count != 0) { std::memcpy(claim(count), bytes, count); }
    }

    /// Effects: makes room for `more` bytes in one step. Out of line, so that claim() is in line, and a copy of a few bytes is one instruction.
    [[gnu::noinline]] void reserve(std::size_t more) {
        if (more > SIZE_MAX - used_) { throw CodecError("procpool: a value is too large to travel"); }
        if (more > buffer_.size() - used_) { buffer_ = grow_(owner_, buffer_, used_, used_ + more); }
    }

    [[nodiscard]] Place place_of(const void* address) const { return place_of_(address); }

    /// Bytes written so far; rewind() forgets those behind `size`.
    [[nodiscard]] std::size_t size() const noexcept { return used_; }
    void rewind(std::size_t size) noexcept { used_ = size; }
    /// The whole buffer, written or not, as it is now.
    [[nodiscard]] std::span<std::byte> buffer() const noexcept { return buffer_; }

private:
    std::span<std::byte> buffer_;
    std::size_t used_ = 0;
    Grow grow_;
    void* owner_;
    PlaceOf place_of_;
};

/// Takes bytes from a buffer in the order they were written, and never reads past its end.
class Reader {
public:
    explicit Reader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() {
        while (kept_) { kept_ = std::move(kept_->before); }
    }

    /// Returns: the next `count` bytes, unaligned, valid as long as the buffer. Throws CodecError when there are fewer.
    [[nodiscard]] const std::byte* take(std::size_t count) {
        if (count > bytes_.size()) { throw CodecError("procpool: the bytes of a value end too early"); }
        const std::byte* const taken = bytes_.data();
        bytes_ = bytes_.subspan(count);
        return taken;
    }

    void read(void* to, std::size_t count) {
        const std::byte* const from = take(count);
        if (count != 0) { std::memcpy(to, from, count); }
    }

    [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size(); }

    /// Effects: keeps `value` until the reader goes, for views that a task gets of what was decoded.
    template <class T>
    T& keep(T value) {
        auto owned = std::make_unique<KeptValue<T>>(std::move(kept_), std::move(value));
        T& kept = owned->value;
        kept_ = std::move(owned);
        return kept;
    }

private:
    struct Kept {
        std::unique_ptr<Kept> before;
        explicit Kept(std::unique_ptr<Kept> last) noexcept : before(std::move(last)) {}
        Kept(const Kept&) = delete;
        Kept& operator=(const Kept&) = delete;
        virtual ~Kept() = default;
    };
    template <class T>
    struct KeptValue final : Kept {
        T value;
        KeptValue(std::unique_ptr<Kept> last, T&& kept) : Kept(std::move(last)), value(std::move(kept)) {}
    };

    std::span<const std::byte> bytes_;
    std::unique_ptr<Kept> kept_;  // the last one; most readers keep nothing
};

}  // namespace procpool
