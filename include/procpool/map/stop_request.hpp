// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// StopRequest: cancels or kills a call over many items that runs on a thread of its own.

#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::map {

/// Requests only advance along the list of kinds. Called by: any thread.
class StopRequest {
public:
    enum class Kind : std::uint8_t {
        none,
        cancel,   ///< items that have not started will not
        kill,     ///< and those that run will be killed
        too_late  ///< the call has ended
    };

    /// Returns: a request that is never made.
    [[nodiscard]] static const StopRequest& never() noexcept {
        static constinit StopRequest never;
        return never;
    }

    [[nodiscard]] Kind kind() const noexcept { return kind_.load(std::memory_order_acquire); }
    /// Whether it is another one than the call has obeyed.
    [[nodiscard]] bool has_news(Kind obeyed) const noexcept { return kind_.load(std::memory_order_relaxed) != obeyed; }

    /// Effects: requests `kind`, unless more has been requested. The caller wakes the call. Returns: false when the
    /// call has ended.
    bool make(Kind kind) noexcept {
        Kind seen = kind_.load(std::memory_order_relaxed);
        while (seen < kind && !kind_.compare_exchange_weak(seen, kind, std::memory_order_acq_rel)) {}
        return seen != Kind::too_late;
    }
    /// Effects: refuses further requests. Returns: the last one. Called by: the call.
    Kind close() noexcept { return kind_.exchange(Kind::too_late, std::memory_order_acq_rel); }

private:
    std::atomic<Kind> kind_{Kind::none};
};

}  // namespace procpool::detail::map
