// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Binder: the thread that an end of a pipe belongs to, whose death is the end of file for the other end.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/sync/member.hpp>

#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::channel {

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

    /// A look at the thread.
    class Look {
    public:
        [[nodiscard]] bool is_alive() const noexcept { return sync::Members::is_alive(stamp_ & ~not_bound); }

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

private:
    static constexpr sync::Stamp not_bound = sync::Stamp{1} << 63;
    void use_first(sync::Stamp own) noexcept;
    void tell_of_change() noexcept;

    std::atomic<sync::Stamp> stamp_;
    std::atomic<std::uint32_t> changes_{0};
};

}  // namespace procpool::detail::channel

#if PROCPOOL_BODIES
#include <procpool/channel/binder.ipp>
#endif
