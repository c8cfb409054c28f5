// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Futex: a word in memory that processes share, and the kernel's queue of threads that sleep on it.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>

#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::os {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t), "the kernel reads the word");

/// Effects: sleeps if the word is `expected`, until it is woken, a signal, or the deadline of the steady clock; may
/// return early. Returns: false when the deadline came first.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, Deadline deadline) noexcept;

/// Effects: all threads that sleep on the word wake. Called by: any process; the word's content does not matter.
void futex_wake(const std::atomic<std::uint32_t>& word) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/futex.ipp>
#endif
