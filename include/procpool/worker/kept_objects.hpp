// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeptObjects: what a worker keeps of calls over many items, from one chunk of a call to its next.

#include <procpool/task/extents.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace procpool::inline v0::detail::worker {

/// A few objects, each of a call. Those that must go are destroyed between tasks, since that may be fatal, and no task
/// should pay for another call's object. A task that uses one shares it: where workers share the parent's memory, a
/// task that waits runs others within it, after which the object may go. Called by: the worker.
class KeptObjects {
public:
    struct Kept {
        std::uint64_t call;
        const std::byte* from;  ///< the call's memory that it was made of
        std::shared_ptr<const void> object;
    };

    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    /// Returns: null when nothing is kept for that call.
    [[nodiscard]] std::shared_ptr<const void> of(std::uint64_t call) const noexcept {
        for (std::size_t i = 0; i < count_; ++i) {
            if (kept_[i].call == call) { return kept_[i].object; }
        }
        return nullptr;
    }

    void keep(Kept one) noexcept {
        if (count_ == kept_.size()) { remove(0); }  // tasks within tasks have kept too many
        kept_[count_++] = std::move(one);
    }

    /// Effects: destroys objects of calls that have ended, and the oldest where there are too many. Returns: whether
    /// there was any.
    bool tidy(const task::Extents& memory) noexcept {
        bool any = false;
        for (std::size_t i = 0; i < count_;) {  // a destructor may get here again, where the caller is the worker
            if (memory.is_of_call(kept_[i].from, kept_[i].call)) {
                ++i;
            } else {
                remove(i);
                any = true;
            }
        }
        while (count_ > most) {
            remove(0);
            any = true;
        }
        return any;
    }

private:
    void remove(std::size_t i) noexcept {
        const Kept removed = std::exchange(kept_[i], {});  // destroyed last
        std::move(kept_.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                  kept_.begin() + static_cast<std::ptrdiff_t>(count_), kept_.begin() + static_cast<std::ptrdiff_t>(i));
        --count_;
    }

    static constexpr std::size_t most = 4;  // calls that run side by side

    std::array<Kept, 2 * most> kept_{};  // the oldest first
    std::size_t count_ = 0;
};

}  // namespace procpool::detail::worker
