// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Writer and Reader: turn values into bytes, in memory that the caller provides, and bytes into values.

#include <procpool/codec/nesting.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/error.hpp>  // CodecError, which Codecs throw

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::codec {

/// Visibility of an address: its meaning for the process that will decode the bytes.
enum class Visibility : std::uint8_t {
    everywhere,    ///< the same there: code, constants and statics of the program, null; or no address at all
    shared,        ///< in shared memory: the same bytes there
    this_process,  ///< a stack or heap address of this process: means nothing there
    /// The program's code, constants and statics, which lie at another address there: see os::CodeName. Those of a
    /// program that is not position-independent are `everywhere`: see os::is_where_linked().
    named
};

/// Whether an address means something else there, so that bytes which hold it may not be copied as they are.
[[nodiscard]] constexpr bool differs_there(Visibility visibility) noexcept {
    return visibility >= Visibility::this_process;
}

/// Tells where an address lies; the answer depends on where the bytes go.
using VisibilityOf = Visibility (*)(const void* address);

/// To a thread of the same process every address means the same.
[[nodiscard]] inline Visibility visibility_in_this_process(const void*) { return Visibility::shared; }
/// Knows nothing, so allows nothing.
[[nodiscard]] inline Visibility visibility_unknown(const void* address) {
    return address == nullptr ? Visibility::everywhere : Visibility::this_process;
}

/// As Writer::Grow, where the owner is a std::vector<std::byte>, which is the buffer too.
[[nodiscard]] std::span<std::byte> grow_vector(void* owner, std::span<std::byte> current, std::size_t used,
                                               std::size_t need);

}  // namespace procpool::detail::codec

namespace procpool::inline v0 {

/// Appends bytes to a buffer, and asks the buffer's owner for a larger one when it is full.
/// Called by: one thread; parent for arguments, worker for results.
class Writer {
    using Nesting = detail::codec::Nesting;
    using Visibility = detail::codec::Visibility;
    using VisibilityOf = detail::codec::VisibilityOf;

public:
    /// Makes a buffer of at least `need` bytes that starts with the first `used` bytes of `current`. Throws when it
    /// cannot.
    using Grow = std::span<std::byte> (*)(void* owner, std::span<std::byte> current, std::size_t used,
                                          std::size_t need);

    /// Begins at the start of `buffer`. owner: passed to `grow`. visibility: the meaning of an address for the
    /// process that will read the bytes.
    Writer(std::span<std::byte> buffer, Grow grow, void* owner,
           VisibilityOf visibility = detail::codec::visibility_unknown) noexcept
        : buffer_(buffer),
          checked_(Nesting::bytes_to_check(buffer.size())),
          grow_(grow),
          owner_(owner),
          visibility_of_(visibility) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;

    /// Returns: `count` bytes of the buffer to be filled, valid until the next call. They are not aligned.
    /// Throws: CodecError when the value that is written nests too deeply; what making a larger buffer throws.
    [[nodiscard]] std::byte* claim(std::size_t count) {
        if (count > checked_ - used_) [[unlikely]] { go_on(count); }
        return buffer_.data() + std::exchange(used_, used_ + count);
    }

    /// Appends `count` bytes. Throws: as claim().
    void write(const void* bytes, std::size_t count) {
        if (count != 0) { std::memcpy(claim(count), bytes, count); }
    }

    /// Makes room for `more` bytes in one step. Throws: as claim().
    void reserve(std::size_t more);

    /// The meaning of an address for the process that will read the bytes: Codecs of pointers ask before they write
    /// one.
    [[nodiscard]] Visibility visibility_of(const void* address) const { return visibility_of_(address); }

    /// Returns: the function that answers visibility_of().
    [[nodiscard]] VisibilityOf where() const noexcept { return visibility_of_; }

    /// The number of bytes written so far.
    [[nodiscard]] std::size_t size() const noexcept { return used_; }
    /// Forgets the bytes behind the first `size`. Requires: that many have been written.
    void rewind(std::size_t size) noexcept { checked_ = used_ = size; }
    /// The whole buffer, written or not, as it is now.
    [[nodiscard]] std::span<std::byte> buffer() const noexcept { return buffer_; }

private:
    [[gnu::cold]] void go_on(std::size_t count);

    std::span<std::byte> buffer_;
    std::size_t used_ = 0;
    std::size_t checked_;  // as far as claim() goes without a check of nesting_; at most the buffer's size
    Nesting nesting_;
    Grow grow_;
    void* owner_;
    VisibilityOf visibility_of_;
};

/// Takes bytes from a buffer in the order in which they were written, and never reads past its end.
class Reader {
    using Nesting = detail::codec::Nesting;
    using Visibility = detail::codec::Visibility;
    using VisibilityOf = detail::codec::VisibilityOf;

public:
    /// where: the meaning of an address in the bytes for this process; only `shared` ones are accepted. The parent asks
    /// it of addresses that come from workers, which may have been overwritten; workers believe those of their parent.
    explicit Reader(std::span<const std::byte> bytes,
                    VisibilityOf where = detail::codec::visibility_in_this_process) noexcept
        : at_(bytes.data()),
          checked_(at_ + Nesting::bytes_to_check(bytes.size())),
          end_(at_ + bytes.size()),
          visibility_of_(where) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() {
        if (kept_ != nullptr) [[unlikely]] { release(kept_); }
    }

    /// Returns: the next `count` bytes, unaligned, valid as long as the buffer.
    /// Throws: CodecError when there are fewer, or when the value that is read nests too deeply.
    [[nodiscard, gnu::always_inline]] const std::byte* take(std::size_t count) {
        if (count > static_cast<std::size_t>(checked_ - at_)) [[unlikely]] {
            const Checked next = go_on(count, at_, end_, nesting_);
            checked_ = next.checked;
            nesting_ = next.nesting;
        }
        return std::exchange(at_, at_ + count);
    }

    /// Copies the next `count` bytes. Throws: as take().
    void read(void* to, std::size_t count) {
        const std::byte* const from = take(count);
        if (count != 0) { std::memcpy(to, from, count); }
    }

    /// Returns: a reader of the next `count` bytes, which come from the same process and belong to the same value.
    /// Throws: as take().
    [[nodiscard]] Reader take_part(std::size_t count) {
        const std::byte* const from = take(count);
        return Reader(std::span{from, count}, visibility_of_, nesting_);
    }

    /// The number of bytes that are left.
    [[nodiscard]] std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }

    /// The meaning of an address in the bytes for this process.
    [[nodiscard]] Visibility visibility_of(const void* address) const { return visibility_of_(address); }

    /// Keeps `value` as long as the reader lives, for views of decoded values that a task gets. Returns: the kept
    /// value.
    template <class T>
    T& keep(T value) {
        auto* const owned =
            new KeptValue<T>{{kept_, [](Kept* self) { delete static_cast<KeptValue<T>*>(self); }}, std::move(value)};
        kept_ = owned;
        return owned->value;
    }

private:
    struct Kept {
        Kept* before;
        void (*destroy)(Kept* self);
    };
    template <class T>
    struct KeptValue : Kept {
        T value;
    };
    [[gnu::cold]] static void release(Kept* last) noexcept;

    Reader(std::span<const std::byte> bytes, VisibilityOf where, const Nesting& nesting) noexcept
        : Reader(bytes, where) {
        nesting_ = nesting;
    }

    struct Checked {
        const std::byte* checked;
        Nesting nesting;
    };
    /// Takes and returns values, so that a reader of little need not be in memory.
    [[nodiscard, gnu::cold]] static Checked go_on(std::size_t count, const std::byte* at, const std::byte* end,
                                                  Nesting nesting);

    const std::byte* at_;
    const std::byte* checked_;  // as far as take() goes without a check of nesting_; at most end_
    const std::byte* end_;
    Nesting nesting_;
    VisibilityOf visibility_of_;
    Kept* kept_ = nullptr;  // the last one; most readers keep nothing
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/codec/bytes.ipp>
#endif
