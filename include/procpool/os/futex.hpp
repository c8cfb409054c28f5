// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Futex: a word in memory that processes share, and the kernel's queue of threads that sleep on it.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace procpool::inline v0::detail::os {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t), "the kernel reads the word");

/// Wakes all sleepers.
inline constexpr std::uint32_t everybody = 0x7fffffff;

/// Effects: sleeps if the word is `expected`, until it is woken, a signal, or the deadline of the steady clock; may
/// return early. Returns: false when the deadline came first.
/// Memory order: the kernel's look at the word is ordered with futex_wake() and change_and_wake() by a lock of its own:
/// a change before one of those is seen, or the sleeper is woken.
bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected, Deadline deadline) noexcept;

/// As futex_wait(), on two words: sleeps while both are as expected. Where the kernel cannot (before 5.16), it sleeps
/// on the first for 100 ms at most.
bool futex_wait_for_either(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                           const std::atomic<std::uint32_t>& other, std::uint32_t other_expected,
                           Deadline deadline) noexcept;

/// A word, and what it is expected to be.
struct FutexLook {
    const std::atomic<std::uint32_t>* word;
    std::uint32_t expected;
};
/// The most words that a thread sleeps on at a time.
inline constexpr std::size_t futex_most_words = 128;

/// As futex_wait(), on several words, of which the first futex_most_words count: sleeps while all are as expected.
/// Sleeps for a millisecond at most where the kernel cannot.
bool futex_wait_for_any(std::span<const FutexLook> words, Deadline deadline) noexcept;

/// Effects: wakes so many of the threads that sleep on the word. Returns: how many. Called by: any process; the word's
/// content does not matter.
std::uint32_t futex_wake(const std::atomic<std::uint32_t>& word, std::uint32_t count = everybody) noexcept;

/// The change that change_and_wake() makes to the word.
enum class Change : std::uint32_t { set, add, set_bits, clear_bits };

/// An operand of change_and_wake(): twelve bits of the system call hold it.
class Operand {
public:
    /// value: -2048 to 2047.
    constexpr explicit Operand(std::int32_t value) noexcept : bits_(static_cast<std::uint32_t>(value) & 0xfff) {}
    /// Returns: 1 << bit.
    [[nodiscard]] static constexpr Operand power_of_two(std::uint32_t bit) noexcept { return {bit | shift, 0}; }

    /// The operand as the kernel takes it; its value.
    [[nodiscard]] constexpr std::uint32_t bits() const noexcept { return bits_ & 0xfff; }
    [[nodiscard]] constexpr bool is_power() const noexcept { return (bits_ & shift) != 0; }
    [[nodiscard]] constexpr std::uint32_t value() const noexcept {
        if (is_power()) { return std::uint32_t{1} << (bits_ & 31); }
        return bits() >= 0x800 ? bits() | 0xfffff000 : bits();
    }

private:
    constexpr Operand(std::uint32_t bits, int) noexcept : bits_(bits) {}
    static constexpr std::uint32_t shift = 0x1000;
    std::uint32_t bits_;
};

/// Effects: changes the word and wakes so many of its sleepers, in one step of the kernel: a process that is killed
/// meanwhile has done both or neither, and no other access to the word comes between. Returns: how many were woken.
/// Memory order: as a sequentially consistent read-modify-write of the word.
std::uint32_t change_and_wake(std::atomic<std::uint32_t>& word, Change change, Operand operand,
                              std::uint32_t count = everybody) noexcept;

/// As change_and_wake(), but wakes everybody, and only if the word was `was` (-2048 to 2047) before. Returns: how many
/// were woken.
std::uint32_t change_and_wake_if(std::atomic<std::uint32_t>& word, Change change, Operand operand,
                                 std::int32_t was) noexcept;

/// The parts of the word of a robust lock of the C library, as the kernel defines them.
inline constexpr std::uint32_t futex_owner = 0x3fffffff;
inline constexpr std::uint32_t futex_owner_died = 0x40000000;
inline constexpr std::uint32_t futex_waiters = 0x80000000;

/// Whether the kernel will look for robust locks when this thread ends: not in a child of a bare clone().
[[nodiscard]] bool releases_robust_locks() noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/futex.ipp>
#endif
