// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Binder: the thread that an end of a pipe belongs to, whose death is the end of file for the other end; or the
/// process whose first thread to use the end will be that.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/sync/member.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace procpool::inline v0::detail::channel {

/// One that waits for an end that was given to a process looks again after this time whether that lives: until its
/// first use there is no lock that the kernel releases at its death.
inline constexpr std::chrono::milliseconds look_for_given{100};

/// In shared memory. Until a thread has bound the end, the one that made the pipe counts.
class alignas(apart) Binder {
public:
    explicit Binder(sync::Stamp maker) noexcept : stamp_(maker | not_bound) {}

    /// Effects: binds the end to the calling thread if nobody has bound it, or the thread that has is dead.
    /// Throws: as Members::own().
    void use() {
        const sync::Stamp own = sync::Members::own();
        if (stamp_.load(std::memory_order_relaxed) != own) [[unlikely]] { use_first(own); }
    }
    /// Effects: binds the end to the calling thread. One that waits already learns of it at once if nobody had bound
    /// the end before, otherwise within half a second. Throws: as Members::own().
    void bind();
    /// Effects: gives the end to a process that started then (0: that is dead), which binds it by its first use;
    /// nothing when a thread of that process has bound it. only_own: nor when the end is bound to a third process that
    /// lives.
    void give(std::int32_t pid, std::uint64_t start, bool only_own) noexcept;
    /// A look at the thread.
    class Look {
    public:
        [[nodiscard]] bool is_alive() const noexcept { return Binder::is_alive(stamp_); }
        /// Whether the end was given to a process that has not used it yet: only looks tell of its death.
        [[nodiscard]] bool is_given() const noexcept { return (stamp_ & given) != 0; }
        /// Returns: the number of the process; 0 when that is not known any more.
        [[nodiscard]] std::int32_t pid() const noexcept { return pid_of(stamp_); }

    private:
        friend class Binder;
        Look(std::uint32_t changes, sync::Stamp stamp) noexcept : changes_(changes), stamp_(stamp) {}
        std::uint32_t changes_;
        sync::Stamp stamp_;
    };
    [[nodiscard]] Look look() const noexcept {
        // acquire, and the count first: when the thread that is seen is an old one, so is the count.
        const std::uint32_t changes = changes_.load(std::memory_order_acquire);
        return {changes, stamp_.load(std::memory_order_acquire)};
    }
    /// Effects: sleeps while the word is as expected and the thread lives; while nobody has bound the end, until
    /// somebody does. May return early.
    void wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, Look seen,
              Deadline deadline) const noexcept;

    /// Returns: a word that changes when the thread dies, or the end gets another owner; nothing when the thread is
    /// dead.
    [[nodiscard]] std::optional<os::FutexLook> watch() const noexcept;

private:
    // Of a thread that has bound the end: its stamp. Of the maker of the pipe: with a bit. Of a process that the end
    // was given to: its number and when it started, as far as there is room.
    static constexpr sync::Stamp not_bound = sync::Stamp{1} << 63;
    static constexpr sync::Stamp given = sync::Stamp{1} << 62;
    static constexpr int start_bits = 39;
    static constexpr std::uint64_t start_mask = (std::uint64_t{1} << start_bits) - 1;

    [[nodiscard]] static bool is_alive(sync::Stamp stamp) noexcept {
        return (stamp & given) != 0 ? process_is_alive(stamp) : sync::Members::is_alive(stamp & ~not_bound);
    }
    [[nodiscard]] static bool process_is_alive(sync::Stamp stamp) noexcept;
    [[nodiscard]] static std::int32_t pid_of(sync::Stamp stamp) noexcept;
    void use_first(sync::Stamp own) noexcept;
    void tell_of_change() noexcept;

    std::atomic<sync::Stamp> stamp_;
    std::atomic<std::uint32_t> changes_{0};
};

}  // namespace procpool::detail::channel

#if PROCPOOL_BODIES
#include <procpool/channel/binder.ipp>
#endif
