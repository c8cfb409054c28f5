// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Unobserved: the errors of one pool's tasks that nobody took.

#include <procpool/core/config.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace procpool::inline v0::detail::client {

/// Outlives its pool: futures have it too. Called by: parent, any thread; with no lock held that a Codec of the user's
/// may need.
class Unobserved {
public:
    explicit Unobserved(std::string pool) noexcept : pool_(std::move(pool)) {}

    struct Task {
        std::uint64_t number = 0;  ///< 0: unknown
        std::string_view label = {};
    };
    /// Effects: counts the error and tells the log, unless it was asked for, or is the end of the whole pool, which is
    /// told once. error: null when there was no memory to keep it.
    void add(const Task& task, const std::exception_ptr& error) noexcept;

    [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

private:
    const std::string pool_;
    std::atomic<std::uint64_t> count_{0};
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/unobserved.ipp>
#endif
