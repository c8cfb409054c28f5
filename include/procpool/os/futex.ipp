// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/futex.hpp>
#include <procpool/os/sanitizer.hpp>

#include <linux/futex.h>
#include <linux/time_types.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <ctime>

namespace procpool::inline v0::detail::os {

static_assert(futex_owner == FUTEX_TID_MASK && futex_owner_died == FUTEX_OWNER_DIED && futex_waiters == FUTEX_WAITERS);

/// Whether FUTEX_WAKE_OP works here: a filter of system calls may refuse it. Then a word is changed first and its
/// sleepers are woken afterwards, and since the waker may be killed between the two, sleepers look now and then.
class WakeOperation {
public:
    [[nodiscard]] static bool works() noexcept {
        const int known = state_.load(std::memory_order_relaxed);  // says nothing about other memory
        return known != unknown ? known == yes : probe();
    }
    /// A call has failed: a filter may have come since the first look.
    [[gnu::cold]] static void give_up() noexcept { state_.store(no, std::memory_order_relaxed); }

private:
    enum State : int { unknown, yes, no };

    [[nodiscard, gnu::cold, gnu::noinline]] static bool probe() noexcept {
        const int saved = errno;
        std::atomic<std::uint32_t> word{0};
        const bool refused = ::syscall(SYS_futex, &word, FUTEX_WAKE_OP, 1, nullptr, &word,
                                       FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0xfff)) < 0;
        errno = saved;
        state_.store(refused ? no : yes, std::memory_order_relaxed);
        return !refused;
    }

    static inline constinit std::atomic<int> state_{unknown};
};

/// Without a way to change and wake in one step, and for kernels that watch one word at a time.
inline constexpr std::chrono::milliseconds futex_look_again{100};

/// Returns: the deadline as a point of the monotonic clock.
template <class Time>
[[nodiscard]] Time futex_time(Deadline deadline) noexcept {
    const auto since_boot = deadline.when().time_since_epoch();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(since_boot);
    Time when{};
    when.tv_sec = seconds.count();
    when.tv_nsec = std::chrono::nanoseconds(since_boot - seconds).count();
    return when;
}

PROCPOOL_DECL bool futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                              Deadline deadline) noexcept {
    const Deadline until = WakeOperation::works() ? deadline : Deadline::after(futex_look_again).or_sooner(deadline);
    const auto when = until.is_never() ? timespec{} : futex_time<timespec>(until);
    // Not FUTEX_PRIVATE: other processes wake it. FUTEX_WAIT_BITSET, since its time is a point in time.
    const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, until.is_never() ? nullptr : &when,
                                  nullptr, FUTEX_BITSET_MATCH_ANY);
    if (result == 0 || (errno != ETIMEDOUT && errno != EINVAL)) {
        return true;
    }  // EINVAL: a time before the clock began
    return until.when() != deadline.when();
}

/// Sleeps while all words are as expected. Returns: whether the kernel can; in_time says whether that was before the
/// deadline.
inline bool wait_for_words([[maybe_unused]] std::span<const FutexLook> looks, [[maybe_unused]] Deadline deadline,
                           [[maybe_unused]] bool& in_time) noexcept {
#if defined(SYS_futex_waitv) && defined(FUTEX_32)
    if (!WakeOperation::works()) { return false; }
    std::array<futex_waitv, futex_most_words> words;
    const std::size_t count = std::min(looks.size(), words.size());
    for (std::size_t i = 0; i < count; ++i) {
        words[i] = futex_waitv{};
        words[i].uaddr = reinterpret_cast<std::uintptr_t>(looks[i].word);
        words[i].val = looks[i].expected;
        words[i].flags = FUTEX_32;
    }
    const auto when = deadline.is_never() ? __kernel_timespec{} : futex_time<__kernel_timespec>(deadline);
    const long result = ::syscall(SYS_futex_waitv, words.data(), static_cast<unsigned>(count), 0,
                                  deadline.is_never() ? nullptr : &when, CLOCK_MONOTONIC);
    if (result < 0 && (errno == ENOSYS || errno == EPERM)) { return false; }
    in_time = result >= 0 || (errno != ETIMEDOUT && errno != EINVAL);
    return true;
#else
    return false;
#endif
}

PROCPOOL_DECL bool futex_wait_for_either(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                                         const std::atomic<std::uint32_t>& other, std::uint32_t other_expected,
                                         Deadline deadline) noexcept {
    const std::array<FutexLook, 2> looks{FutexLook{&word, expected}, FutexLook{&other, other_expected}};
    bool in_time = true;
    if (wait_for_words(looks, deadline, in_time)) { return in_time; }
    if (other.load(std::memory_order_acquire) != other_expected) { return true; }
    const Deadline slice = Deadline::after(futex_look_again).or_sooner(deadline);
    return futex_wait(word, expected, slice) || slice.when() != deadline.when();
}

PROCPOOL_DECL bool futex_wait_for_any(std::span<const FutexLook> words, Deadline deadline) noexcept {
    bool in_time = true;
    const Deadline slice =
        words.size() <= futex_most_words ? deadline : Deadline::after(futex_look_again).or_sooner(deadline);
    if (wait_for_words(words, slice, in_time)) { return in_time || slice.when() != deadline.when(); }
    for (const FutexLook& look : words) {
        if (look.word->load(std::memory_order_acquire) != look.expected) { return true; }
    }
    const Deadline soon = Deadline::after(std::chrono::milliseconds{1}).or_sooner(deadline);
    static_cast<void>(futex_wait(*words.front().word, words.front().expected, soon));
    return !deadline.passed();
}

PROCPOOL_DECL std::uint32_t futex_wake(const std::atomic<std::uint32_t>& word, std::uint32_t count) noexcept {
    count = std::min(count, everybody);  // the kernel takes an int
    const long woken = ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
    return woken < 0 ? 0 : static_cast<std::uint32_t>(woken);
}

/// Effects: the same change by an instruction. Returns: the word before.
inline std::uint32_t change(std::atomic<std::uint32_t>& word, Change change, std::uint32_t operand) noexcept {
    switch (change) {
        case Change::set: return word.exchange(operand, std::memory_order_seq_cst);
        case Change::add: return word.fetch_add(operand, std::memory_order_seq_cst);
        case Change::set_bits: return word.fetch_or(operand, std::memory_order_seq_cst);
        case Change::clear_bits: return word.fetch_and(~operand, std::memory_order_seq_cst);
    }
    return 0;
}

/// As FUTEX_OP() of the kernel, for operations known at run time. was: twelve bits.
[[nodiscard]] inline std::uint32_t futex_operation(Change change, Operand operand, std::uint32_t was) noexcept {
    static_assert(static_cast<std::uint32_t>(Change::clear_bits) == FUTEX_OP_ANDN);
    const std::uint32_t shift = operand.is_power() ? FUTEX_OP_OPARG_SHIFT : 0;
    return (static_cast<std::uint32_t>(change) | shift) << 28 | std::uint32_t{FUTEX_OP_CMP_EQ} << 24 |
           operand.bits() << 12 | (was & 0xfff);
}

PROCPOOL_DECL std::uint32_t change_and_wake(std::atomic<std::uint32_t>& word, Change kind, Operand operand,
                                            std::uint32_t count) noexcept {
    count = std::min(count, everybody);
    note_release(&word);
    if (WakeOperation::works()) {
        // The second wake, for a word that was -1 before, is for none.
        const long woken =
            ::syscall(SYS_futex, &word, FUTEX_WAKE_OP, count, nullptr, &word, futex_operation(kind, operand, 0xfff));
        if (woken >= 0) { return static_cast<std::uint32_t>(woken); }
        WakeOperation::give_up();
    }
    change(word, kind, operand.value());
    return futex_wake(word, count);
}

/// The first word of the system call in change_and_wake_if(): nobody sleeps on it.
inline constinit std::atomic<std::uint32_t> nobody_sleeps_here{0};

PROCPOOL_DECL std::uint32_t change_and_wake_if(std::atomic<std::uint32_t>& word, Change kind, Operand operand,
                                               std::int32_t was) noexcept {
    note_release(&word);
    if (WakeOperation::works()) {
        const long woken = ::syscall(SYS_futex, &nobody_sleeps_here, FUTEX_WAKE_OP, 1, std::size_t{everybody}, &word,
                                     futex_operation(kind, operand, static_cast<std::uint32_t>(was)));
        if (woken >= 0) { return static_cast<std::uint32_t>(woken); }
        WakeOperation::give_up();
    }
    const bool wakes = change(word, kind, operand.value()) == static_cast<std::uint32_t>(was);
    return wakes ? futex_wake(word) : 0;
}

PROCPOOL_DECL bool releases_robust_locks() noexcept {
    void* head = nullptr;
    std::size_t size = 0;
    return ::syscall(SYS_get_robust_list, 0, &head, &size) == 0 && head != nullptr;
}

}  // namespace procpool::detail::os
