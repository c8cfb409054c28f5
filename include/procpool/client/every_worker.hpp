// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// EveryWorker: what the calls share that reach all workers of a pool.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace procpool::inline v0::detail::client {

/// A client's.
struct EveryWorker {
    /// A part that its worker keeps although no handle is left.
    struct Unwanted {
        std::uint64_t number;
        std::uint32_t worker;
    };

    std::mutex order;  ///< held while such a call is submitted, so that all workers get them in the same order
    std::atomic<std::uint64_t> scattered{0};  ///< handles made so far; gives the next its number

    std::mutex dropping;               ///< guards the rest
    std::vector<Unwanted> unwanted{};  ///< the queue had no room for the tasks that drop them
};

}  // namespace procpool::detail::client
