// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/log/log.hpp>
#include <procpool/os/backtrace.hpp>
#include <procpool/os/code_name.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/streams.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/process.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <span>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL codec::Visibility place_elsewhere(const void* address) {
    if (!os::may_be_address(address)) { return codec::Visibility::everywhere; }
    if (const auto at = reinterpret_cast<std::uintptr_t>(address); os::name_of(at) != 0) {
        const bool is_there_too = os::is_where_linked(at);
        return is_there_too ? codec::Visibility::everywhere : codec::Visibility::named;
    }
    return os::is_readable(address) ? codec::Visibility::this_process : codec::Visibility::everywhere;
}

PROCPOOL_DECL codec::Visibility place_for_parent(const void* address) {
    if (is_parent_far) { return place_elsewhere(address); }
    if (!os::may_be_address(address)) { return codec::Visibility::everywhere; }
    if (shm::is_shared_with_parent(address)) { return codec::Visibility::shared; }
    if (os::reservations.hold(address)) { return codec::Visibility::everywhere; }
    if (parents_code != nullptr && parents_code->contain(reinterpret_cast<std::uintptr_t>(address))) {
        return codec::Visibility::everywhere;
    }
    return os::is_readable(address) ? codec::Visibility::this_process : codec::Visibility::everywhere;
}

inline void leave_if_impostor() {
    if (!os::is_process(worker_token)) { os::leave(EXIT_SUCCESS); }
}

PROCPOOL_DECL void leave_on_exit(int status, bool quick) noexcept {
    if (!quick) { os::flush_standard_streams(); }
    os::leave(status);
}

inline constexpr WorkerHooks process_hooks{
    place_for_parent,
    leave_if_impostor,
    [] {
        leave_if_impostor();
        if (os::is_output_pending()) [[unlikely]] { os::flush_standard_streams(); }
    },
    os::wait_for_ever,
    [] {
        os::flush_standard_streams();
        os::leave(EXIT_SUCCESS);
    },
    []() noexcept { return &os::wiped_word(); },
};

PROCPOOL_DECL void name_process(const std::string& name, std::uint32_t index) noexcept {
    constexpr std::size_t most = 15;  // the kernel keeps no more; the index matters more than the end of the name
    std::array<char, most + 1> text{};
    std::array<char, 10> digits{};
    const auto end = std::to_chars(digits.begin(), digits.end(), index).ptr;
    const auto count = static_cast<std::size_t>(end - digits.begin());
    const std::size_t kept = std::min(name.size(), most - 1 - count);
    std::copy_n(name.begin(), kept, text.begin());
    text[kept] = ':';
    std::copy_n(digits.begin(), count, text.begin() + kept + 1);
    os::name_process(text.data());
}

PROCPOOL_DECL void wait_for_index(task::Board& board, std::uint32_t seat_number) {
    task::Seat& seat = board.seats()[seat_number];
    // seq_cst: offered before the look at life; the process that closes the pool moves life first and then notifies the
    // spare worker. Offered again whenever it is woken, since a task may have written there; if a worker gives it an
    // index between the offers, the second one is found to be stale.
    const auto must_wait = [&] {
        std::uint32_t index = seat.index.load(std::memory_order_acquire);
        if (index > board.control.places) {
            seat.index.compare_exchange_strong(index, board.control.places, std::memory_order_seq_cst);
        }  // no worker has that index
        return index >= board.control.places && board.control.goes_on();
    };
    do {
        board.from_workers.spare.store(seat_number + 1, std::memory_order_seq_cst);
        board.wake_retiree();
        if (must_wait()) { seat.parker.park(Deadline::never()); }
    } while (must_wait());
    task::thread_context.index = seat.index.load(std::memory_order_acquire);
}

PROCPOOL_DECL bool give_index_to_spare(task::Board& board, const task::Seat& retiring) noexcept {
    const std::uint32_t spare = board.from_workers.spare.exchange(0, std::memory_order_seq_cst);
    if (spare == 0) { return false; }
    // It may have died and another worker may sit there, or it may have an index already: an index that is given is
    // never changed.
    std::uint32_t none = board.control.places;
    task::Seat* const seat = board.seat_of(spare - 1);
    // seq_cst: see Board::wake_for_mail().
    if (seat == nullptr || !seat->index.compare_exchange_strong(none, retiring.index.load(std::memory_order_relaxed),
                                                                std::memory_order_seq_cst)) {
        return false;
    }
    seat->parker.notify();
    return true;
}

PROCPOOL_DECL void replace_by_spare(task::Board& board, std::uint32_t seat_number,
                                    std::chrono::milliseconds longest) noexcept {
    constexpr std::chrono::milliseconds now_and_then{100};
    const task::Control& control = board.control;
    task::FromWorkers& from_workers = board.from_workers;
    const Deadline deadline = Deadline::after(longest);
    std::uint32_t nobody = 0;
    // seq_cst: registered before the look at spare and life; a spare worker offers itself, and the process that closes
    // the pool moves life, before they look for a retiree. Its notifier may die in between, so it looks again now and
    // then.
    const bool waits = from_workers.retiree.compare_exchange_strong(nobody, seat_number + 1, std::memory_order_seq_cst);
    while (control.goes_on() && !give_index_to_spare(board, board.seats()[seat_number])) {
        if (!waits || deadline.passed()) { break; }
        board.seats()[seat_number].parker.park(deadline.or_sooner(Deadline::after(now_and_then)));
    }
    // relaxed: it says nothing about other memory. Only this worker writes it while it holds its seat; after its death,
    // the supervisor.
    if (waits) { from_workers.retiree.store(0, std::memory_order_relaxed); }
}

PROCPOOL_DECL void record_crashes(task::Seat& seat) noexcept {
    crashing_seat = &seat;
    os::on_crash([](int signal, const void*) noexcept {
        // The process number is compared too: a child made by vfork() has all of this memory.
        if (!os::is_process(worker_token) || os::this_process() != crashing_seat->pid.load(std::memory_order_relaxed)) {
            return;
        }
        core::Crash& crash = crashing_seat->crash;
        crash.signal = signal;
        crash.pid = os::this_process();
        crash.count = static_cast<std::uint32_t>(os::capture_backtrace(crash.frames));
    });
}

[[noreturn]] PROCPOOL_DECL void run_process(task::Board& board, const Setup& setup, std::uint32_t seat_number,
                                            std::uint32_t index, pid_t supervisor) {
    if (!os::die_with_parent(supervisor)) { os::leave(EXIT_FAILURE); }
    reach(FaultPoint::after_fork);
    os::lead_group(0);  // a task's child processes end with its worker
    os::reset_signal(SIGINT, SIG_IGN);
    os::reset_signal(SIGTTOU, SIG_IGN);
    os::purge_standard_streams();
    os::close_standard_input();
    if (board.actor.is_one) { board.actor.note_process(os::this_process()); }
    board.guard();
    os::give_way_when_memory_runs_out();

    task::Seat& seat = board.seats()[seat_number];
    const pid_t pid = os::this_process();
    seat.pid.store(pid, std::memory_order_relaxed);
    task::thread_context =
        task::ThreadContext{.in_worker = true, .index = index, .pid = pid, .pool = board.control.name.data()};
    ++task::depth;
    worker_token = os::process_token();
    record_crashes(seat);
    os::records_throws.store(setup.backtraces, std::memory_order_relaxed);
    os::unblock_all_signals();

    static_cast<void>(initialize(setup, index, [&](const std::string& reason) {
        board.from_workers.set_reason(reason);
        seat.state.store(task::SeatState::failed, std::memory_order_release);
        std::exit(EXIT_FAILURE);
    }));
    if (setup.initializer) {
        leave_if_impostor();
        if (os::is_output_pending()) [[unlikely]] { os::flush_standard_streams(); }
        if (!os::die_with_parent(supervisor)) { os::leave(EXIT_FAILURE); }  // again: it may have changed its user
    }
    reach(FaultPoint::before_ready);
    board.from_workers.ready_count.fetch_add(1, std::memory_order_relaxed);
    seat.state.store(task::SeatState::ready, std::memory_order_release);

    if (index >= board.control.places) { wait_for_index(board, seat_number); }
    {
        Loop loop{board, seat_number, process_hooks};
        loop_of_worker = &loop;
        loop.run();
        loop_of_worker = nullptr;
    }

    seat.state.store(task::SeatState::leaving, std::memory_order_release);
    if (setup.recycles && seat.dismissal.load(std::memory_order_relaxed) != task::Dismissal::surplus) {
        replace_by_spare(board, seat_number, setup.start_timeout);
    }
    reach(FaultPoint::before_exit);
    finalize(setup, index);
    std::exit(EXIT_SUCCESS);
}

}  // namespace procpool::detail::worker
