// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Orders: what others want of a call that runs on a thread of its own.

#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::map {

enum class Wish : std::uint8_t {
    go_on,
    cancel,  ///< what has not started shall not
    kill,    ///< and what runs shall end
    over     ///< too late for any
};

/// It only moves down that list. Called by: any thread.
class Orders {
public:
    /// Returns: orders that are never given.
    [[nodiscard]] static const Orders& none() noexcept {
        static constinit Orders none;
        return none;
    }

    [[nodiscard]] Wish wish() const noexcept { return wish_.load(std::memory_order_acquire); }
    /// Whether there is something that has not been obeyed.
    [[nodiscard]] bool has_news(Wish obeyed) const noexcept { return wish_.load(std::memory_order_relaxed) != obeyed; }

    /// Effects: `to` is wanted, if not more is. The call is yet to be woken. Returns: false when it is over.
    bool give(Wish to) noexcept {
        Wish seen = wish_.load(std::memory_order_relaxed);
        while (seen < to && !wish_.compare_exchange_weak(seen, to, std::memory_order_acq_rel)) {}
        return seen != Wish::over;
    }
    /// Effects: nothing can be wanted any more. Returns: what was wanted last. Called by: the call.
    Wish end() noexcept { return wish_.exchange(Wish::over, std::memory_order_acq_rel); }

private:
    std::atomic<Wish> wish_{Wish::go_on};
};

}  // namespace procpool::detail::map
