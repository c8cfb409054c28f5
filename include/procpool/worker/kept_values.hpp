// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeptValues: the values of ProcessPool::put() that a worker has decoded, for its later tasks.

#include <procpool/task/control.hpp>
#include <procpool/task/extents.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::worker {

/// Any number of them, by the numbers of their memory. They go when the parent has given that up: between tasks, since
/// that may be fatal, after one that has looked for a value, and before the worker sleeps. Called by: the worker.
class KeptValues {
public:
    struct Kept {
        const std::byte* from;  ///< the memory that it was made of
        std::shared_ptr<const void> value;
    };

    [[nodiscard]] bool empty() const noexcept { return kept_.empty(); }

    /// Whether memory has been given up since tidy().
    /// Memory order: relaxed: numbers are never used again, so what is found is right, whether others have gone or not.
    [[nodiscard]] bool is_behind(const task::Control& control) const noexcept {
        return control.calls_ended.load(std::memory_order_relaxed) != seen_;
    }

    /// Returns: null when nothing is kept under that number.
    [[nodiscard]] std::shared_ptr<const void> of(std::uint64_t number) const {
        const auto found = kept_.find(number);
        return found == kept_.end() ? nullptr : found->second.value;
    }

    /// Throws: std::bad_alloc; nothing has changed then.
    void keep(std::uint64_t number, Kept one) { kept_.insert_or_assign(number, std::move(one)); }

    /// Effects: destroys those whose memory has been given up. Returns: whether there was any.
    bool tidy(const task::Control& control, const task::Extents& memory) noexcept {
        if (!is_behind(control)) { return false; }
        seen_ = control.calls_ended.load(std::memory_order_acquire);  // the memory's words come after it
        bool any = false;
        for (auto one = kept_.begin(); one != kept_.end();) {
            if (memory.is_of_call(one->second.from, one->first)) {
                ++one;
            } else {
                const auto gone = kept_.extract(one++);  // destroyed when the table is whole
                any = true;
            }
        }
        return any;
    }

private:
    std::unordered_map<std::uint64_t, Kept> kept_;
    std::uint64_t seen_ = 0;  // of Control::calls_ended
};

}  // namespace procpool::detail::worker
