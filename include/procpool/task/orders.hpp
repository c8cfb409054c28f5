// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Orders: what workers are told besides their tasks.

#include <atomic>
#include <cstdint>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// Whether all workers of a pool are being replaced, and their supervisor with them.
enum class Refork : std::uint32_t {
    none,
    asked,  // workers finish their tasks and leave; they are not replaced
    done    // they have left, and their supervisor leaves the board to the next one
};

/// One word, so that a worker to which nothing is said sees that by one look: it is 0. `refork` is asked and reset by
/// the parent and done by the supervisor, which says the rest, or the crew where workers are threads; each in single
/// steps. All-zero memory is the valid initial state.
class Orders {
public:
    /// The word at one moment.
    struct Told {
        std::uint32_t bits;

        [[nodiscard]] bool nothing() const noexcept { return bits == 0; }
        [[nodiscard]] Refork refork() const noexcept { return static_cast<Refork>(bits & refork_bits); }
        /// Whether only some workers take new tasks: those whose Seat::goes_on says so.
        [[nodiscard]] bool is_paused() const noexcept { return (bits & paused_bit) != 0; }
        /// Whether some workers leave: each looks at its Seat::dismissal.
        [[nodiscard]] bool is_personal() const noexcept { return (bits & personal_bit) != 0; }
    };

    /// Memory order: seq_cst: a sleeper registers and then looks here, the process that gives orders then wakes the
    /// sleepers.
    [[nodiscard]] Told look() const noexcept { return {word_.load(std::memory_order_seq_cst)}; }
    /// Memory order: relaxed: one task more or less does not matter; a sleeper looks by look().
    [[nodiscard]] Told glance() const noexcept { return {word_.load(std::memory_order_relaxed)}; }

    void set(Refork state) noexcept { change(refork_bits, static_cast<std::uint32_t>(state)); }
    void set_paused(bool paused) noexcept { change(paused_bit, paused ? paused_bit : 0); }
    void set_personal(bool personal) noexcept { change(personal_bit, personal ? personal_bit : 0); }

private:
    static constexpr std::uint32_t refork_bits = 0xff;
    static constexpr std::uint32_t paused_bit = 1U << 8;
    static constexpr std::uint32_t personal_bit = 1U << 9;

    void change(std::uint32_t of, std::uint32_t to) noexcept {
        std::uint32_t seen = word_.load(std::memory_order_relaxed);
        while (!word_.compare_exchange_weak(seen, (seen & ~of) | to, std::memory_order_seq_cst)) {}
    }

    std::atomic<std::uint32_t> word_;
};

static_assert(std::is_standard_layout_v<Orders>, "processes share the bytes");

}  // namespace procpool::detail::task
