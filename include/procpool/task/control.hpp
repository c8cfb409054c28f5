// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Control: the words of a pool that concern no single task.

#include <procpool/core/ending.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/task/extents.hpp>
#include <procpool/task/guests.hpp>
#include <procpool/task/orders.hpp>
#include <procpool/task/queue.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace procpool::inline v0::detail::task {

/// Returns: the text in a place of fixed size that another process may have written: it ends there, whether or not a
/// zero says so before.
template <std::size_t size>
[[nodiscard]] std::string_view text_within(const std::array<char, size>& place) noexcept {
    return {place.data(), ::strnlen(place.data(), size)};
}

/// The life of a pool; it only advances along this list.
enum class Life : std::uint32_t {
    open,
    closing,     // accepted tasks are finished, then the workers leave
    terminated,  // workers are asked to end, then killed
    killed,      // workers are killed
    broken       // as killed, and the reason is in Control
};

/// How the unfinished tasks of a pool end whose life is beyond closing, or that has no workers any more.
[[nodiscard]] constexpr Ending ending_by(Life life) noexcept {
    return life == Life::broken ? Ending::broken : Ending::terminated;
}

/// Written by the parent, the supervisor and a companion, each word by whom it names or in single steps, and read by
/// all: it lies on pages that workers cannot write, so what it says can be relied on. All-zero memory is the valid
/// initial state.
struct Control {
    std::atomic<Life> life;
    /// When the supervisor will look at running tasks by itself; steady clock, nanoseconds. The submitter of a task
    /// that could expire earlier rings.
    std::atomic<std::int64_t> armed;
    std::atomic<std::uint32_t>
        slots_used;  // the first so many have had tasks; written by the parent, under its producers' mutex
    std::atomic<std::uint32_t> links_used;  // whether tasks have waited for others; likewise

    alignas(apart) std::atomic<std::uint32_t> workers_forked;  // whether all of the first generation are
    std::atomic<std::int32_t> start_error;                     // errno of a first-generation fork that failed
    std::atomic<std::uint32_t> ended;                          // no task runs any more, and every task is decided
    std::atomic<std::uint32_t> deaths;           // confirmed and settled; marks may be missing (see Waiters)
    std::atomic<std::uint32_t> companion_ended;  // its seats take nothing any more; written by the supervisor
    std::atomic<std::uint32_t> program_ended;    // before it could end the pool; likewise, for a companion
    std::atomic<std::uint32_t> audits;           // how often the parent has asked the supervisor for one; see Auditor
    std::uint32_t places;                        // how many workers may live on this machine; written once
    std::atomic<std::uint32_t> workers;          // how many are wanted there; written by the parent
    std::atomic<std::uint32_t> remote_workers;   // on others; written once, by a companion, before the pool is built
    std::uint32_t spinners;                      // how many may spin at once; written once
    std::uint32_t items_per_worker;              // then it is recycled; 0: never; written once
    Orders orders;
    std::uint32_t trace_id;  // of the pool in traces; 0: it is not traced; written once
    std::uint64_t kill_rss;  // bytes of its own beyond which a worker is killed; 0: none is; written once
    bool measures;           // the times of tasks; written once
    bool shares_memory;      // workers are threads of the parent; written once
    bool has_copies;  // what tasks refer to is another machine's, and copied to here under its number; written once
    std::array<char, 32> name;  // of the pool, cut to fit; written once
    /// Of the supervisor's thread, for guests that do not end with it; 0: not known yet.
    std::atomic<std::uint64_t> supervisor;
    std::atomic<std::int32_t> supervisor_pid;
    std::atomic<std::uint64_t> workers_started;
    std::atomic<std::uint64_t> workers_died;
    std::atomic<std::uint64_t> workers_recycled;
    std::atomic<std::uint64_t> calls_ended;  // and values of put(): see Client::end_call(); written by the parent

    // Each loss and each retry is counted once, by the process that decides it: see losses(). The first four are
    // written by the supervisor and a companion, or by an engine's threads where there is none, and casualties by the
    // parent too, for tasks that it publishes when the companion has ended; the others by the parent. All in single
    // steps, so it does not matter who else counts, and never by worker processes, which have this page read-only.
    std::atomic<std::uint64_t> casualties;           // tasks lost with their worker
    std::atomic<std::uint64_t> timed_out;            // tasks lost to their timeout
    std::atomic<std::uint64_t> over_memory;          // tasks lost to the memory of their worker
    std::atomic<std::uint64_t> requeued;             // tasks offered again instead of being lost
    std::atomic<std::uint64_t> resumed_casualties;   // casualties whose rest the parent has submitted anew
    std::atomic<std::uint64_t> resumed_timeouts;     // likewise, of timed_out
    std::atomic<std::uint64_t> resumed_over_memory;  // likewise, of over_memory
    std::atomic<std::uint64_t> withdrawn;            // by a companion: cancelled, and not begun on their machine

    /// Effects: moves life to `to`, unless it is there or beyond. Returns: whether this call moved it.
    /// Memory order: seq_cst: a submitter publishes and then looks at life, the process that ends the pool moves life
    /// and then looks at the slots.
    bool advance(Life to) noexcept {
        Life seen = life.load(std::memory_order_seq_cst);
        while (seen < to) {
            if (life.compare_exchange_weak(seen, to, std::memory_order_seq_cst)) { return true; }
        }
        return false;
    }

    /// The counter of tasks that are lost so.
    [[nodiscard]] std::atomic<std::uint64_t>& lost_by(Ending ending) noexcept {
        if (ending == Ending::memory_exceeded) { return over_memory; }
        return ending == Ending::timed_out ? timed_out : casualties;
    }
    /// Counts a lost task whose rest is submitted anew. Called by: parent.
    void count_retry(Ending ending) noexcept {
        auto& count = ending == Ending::memory_exceeded ? resumed_over_memory
                      : ending == Ending::timed_out     ? resumed_timeouts
                                                        : resumed_casualties;
        count.fetch_add(1, std::memory_order_release);
    }

    /// Tasks that did not run again, by how they ended, and those that did.
    struct Losses {
        std::uint64_t casualties;
        std::uint64_t timed_out;
        std::uint64_t over_memory;
        std::uint64_t retried;
    };
    [[nodiscard]] Losses losses() const noexcept {
        // Read first, so that each retry read has been counted as a loss by the time the losses are read.
        const std::uint64_t after_death = resumed_casualties.load(std::memory_order_acquire);
        const std::uint64_t after_timeout = resumed_timeouts.load(std::memory_order_acquire);
        const std::uint64_t after_excess = resumed_over_memory.load(std::memory_order_acquire);
        return {casualties.load(std::memory_order_relaxed) - after_death,
                timed_out.load(std::memory_order_relaxed) - after_timeout,
                over_memory.load(std::memory_order_relaxed) - after_excess,
                requeued.load(std::memory_order_relaxed) + after_death + after_timeout + after_excess};
    }

    /// Whether idle workers wait for more.
    /// Memory order: seq_cst: a sleeper registers and then looks here, the process that moves one of the two then wakes
    /// the sleepers.
    [[nodiscard]] bool goes_on() const noexcept {
        return life.load(std::memory_order_seq_cst) == Life::open && orders.look().refork() == Refork::none;
    }

    void set_name(std::string_view text) noexcept {
        std::memcpy(name.data(), text.data(), std::min(text.size(), name.size() - 1));
    }
};

/// Words that workers write too. Readers check what a word says: a task may have written anything there.
/// All-zero memory is the valid initial state.
struct FromWorkers {
    /// Parker index + 1 of the parent's submitter that waits for any task to finish, and whether guests do; the process
    /// that exchanges it for 0 notifies.
    std::atomic<std::uint32_t> capacity_waiter;
    static constexpr std::uint32_t guests_wait = std::uint32_t{1} << 31;
    QueueHeads queue;
    alignas(apart) GuestWords guests;

    alignas(apart) Extents::Use use_of_results;
    std::atomic<std::uint32_t>
        spare;  // seat + 1 of a worker that waits for an index; the worker that takes it gives it one
    std::atomic<std::uint32_t> retiree;      // seat + 1 of a worker that has to leave and waits for that spare one
    std::atomic<std::uint32_t> ready_count;  // how often a worker's initializer has returned
    std::atomic<std::uint64_t> cancelled_with_others;  // tasks that depended on cancelled ones

    std::atomic<std::uint32_t> told_unbound;  // a worker has logged that it is not where PoolOptions::pin says
    std::atomic<std::uint32_t> reason_state;  // 0 free, 1 being written, 2 written
    std::array<char, 1000> reason_text;

    /// Effects: that submitter waits; 0: none does. Called by: parent, one thread at a time.
    /// Memory order: seq_cst: registered before the look at the words; a worker makes its word done before it looks
    /// here.
    void set_capacity_waiter(std::uint32_t waiter) noexcept {
        std::uint32_t seen = capacity_waiter.load(std::memory_order_relaxed);
        while (!capacity_waiter.compare_exchange_weak(seen, (seen & guests_wait) | waiter, std::memory_order_seq_cst)) {
        }
    }

    /// Keeps the first reason why the pool is broken, cut to fit. Called by: any process.
    void set_reason(std::string_view text) noexcept {
        std::uint32_t none = 0;
        if (!reason_state.compare_exchange_strong(none, 1, std::memory_order_relaxed)) { return; }
        const std::size_t size = std::min(text.size(), reason_text.size() - 1);
        std::memcpy(reason_text.data(), text.data(), size);
        reason_text[size] = '\0';
        reason_state.store(2, std::memory_order_release);  // pairs with the acquire in reason()
    }
    /// Called by: supervisor, while no worker runs.
    void forget_reason() noexcept { reason_state.store(0, std::memory_order_relaxed); }
    [[nodiscard]] std::string_view reason() const noexcept {
        return reason_state.load(std::memory_order_acquire) == 2 ? text_within(reason_text) : std::string_view{};
    }
};

static_assert(std::is_standard_layout_v<FromWorkers> && std::is_trivially_destructible_v<FromWorkers>,
              "processes share the bytes; none destroys them");

static_assert(std::is_standard_layout_v<Control> && std::is_trivially_destructible_v<Control>,
              "processes share the bytes; none destroys them");

}  // namespace procpool::detail::task
