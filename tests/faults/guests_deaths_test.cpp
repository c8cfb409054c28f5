// SPDX-License-Identifier: BSL-1.0
#include "faults/saboteur.hpp"
#include "faults/whole.hpp"
#include "support/asleep.hpp"

#include <procpool/actor/actor.hpp>
#include <procpool/client/guest.hpp>
#include <procpool/worker/setup.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace procpool_test;
using detail::FaultPoint;

namespace {

std::uint64_t tree(unsigned n) {
    if (n < 2) { return n; }
    auto first = this_worker::submit(tree, n - 1);
    auto second = this_worker::submit(tree, n - 2);
    return first.get() + second.get();
}

/// Larger than a window: arguments and results lie in extents.
std::vector<int> doubled(std::vector<int> given) {
    for (int& number : given) { number *= 2; }
    return given;
}
bool sends_much(int n) {
    std::vector<int> numbers(50'000);
    std::iota(numbers.begin(), numbers.end(), n);
    auto first = this_worker::submit(doubled, numbers);
    auto second = this_worker::submit(doubled, numbers);
    return first.get() == second.get();
}

/// Requires: no task runs, and no future is held.
void require_no_guests(detail::task::Board& board) {
    wait_until(
        [&] {
            static_cast<void>(board.guests.sweep(board.results, detail::task::Guests::own_stamp()));
            return board.guests.was_in_use() == 0;
        },
        "the slots of guests to be free", recovery);
    CHECK(board.results.extents().was_owned() == 0);
}

/// Returns: how many were right; every other ended with a worker.
template <class T>
std::size_t judge_each(std::vector<Future<T>>& futures, const T& expected) {
    std::size_t right = 0;
    for (auto& future : futures) {
        try {
            const bool is_right = get_soon(future, 10 * recovery) == expected;
            CHECK(is_right);
            ++right;
        } catch (const WorkerDied&) {}
    }
    futures.clear();
    return right;
}

/// A pool of one whose board takes guests from everywhere.
class OpenPool : public detail::PoolBase {
public:
    explicit OpenPool(const detail::worker::ActorLives& lives, std::size_t capacity = 4)
        : PoolBase(ForkEngine::traits(), PoolOptions{.workers = 1, .queue_capacity = capacity, .name = "open"},
                   &lives) {
        wait_until([this] { return pid() != 0; }, "the process");  // 0 would be this group of processes
    }
    [[nodiscard]] detail::client::GuestBoard guests() const { return client().guest_board(); }
    [[nodiscard]] std::int32_t pid() const { return guests().board->actor.pid.load(); }
};

std::uint64_t triple(std::uint64_t n) { return 3 * n; }

Future<std::uint64_t> call(detail::client::GuestBoard board, std::uint64_t n) {
    using F = std::uint64_t (*)(std::uint64_t);
    return Future<std::uint64_t>{detail::TaskHandle{*detail::client::submit_as_guest(
        board, {.code = detail::call_code<F, std::uint64_t&>},
        [&](Writer& out) { detail::codec::encode_call<F, std::uint64_t>(out, triple, n); })}};
}

/// A child that waits for its board, and then runs f(board).
template <class F>
pid_t start_guest(const Shared<std::atomic<std::uint64_t>>& id, const Shared<detail::client::GuestBoard>& board, F f) {
    const pid_t child = ::fork();
    if (child != 0) { return child; }
    int status = 1;
    try {
        wait_until([&] { return id->load() != 0; }, "a board");
        f(*board);
        status = 0;
    } catch (const std::exception& error) { std::fprintf(stderr, "a guest: %s\n", error.what()); }
    ::_exit(status);
}

bool has_ended_well(pid_t child) {
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a worker that dies between two steps of a guest costs what it ran and leaves nothing") {
    constexpr std::array points{FaultPoint::guest_taken,  FaultPoint::guest_filled, FaultPoint::guest_pending,
                                FaultPoint::guest_pushed, FaultPoint::guest_read,   FaultPoint::after_claim,
                                FaultPoint::before_done};
    Saboteur saboteur;
    Muster muster;
    Pool pool{3};
    for (const FaultPoint point : points) {
        for (const int nth : {1, 20}) {
            CAPTURE(static_cast<int>(point), nth);
            saboteur.arm(point, nth, SIGKILL);
            std::vector<Future<std::uint64_t>> trees;
            for (int i = 0; i < 4; ++i) { trees.push_back(pool.apply_async(tree, 7U)); }
            judge_each(trees, std::uint64_t{13});
            CHECK(saboteur.victim() != 0);
            saboteur.disarm();
            wait_for_full_set(pool);
        }
    }
    require_no_guests(board_of(pool));
    require_whole(pool, muster);
    CHECK(pool.apply(tree, 9U) == 34);
}

TEST_CASE("a guest is woken though its worker dies between the end of its task and the call") {
    Saboteur saboteur;
    SharedPage page;
    Muster muster;
    Pool pool{2};
    const detail::task::Board& board = board_of(pool);
    for (int round = 0; round < 2; ++round) {
        const Gate runs{page};
        const Gate may_end{page};
        auto waits = pool.apply_async(
            [](Gate begun, Gate end) {
                auto future = this_worker::submit(
                    [](Gate here, Gate until) {
                        here.set();
                        until.wait();
                        return 5;
                    },
                    begun, end);
                begun.wait();  // so that another worker runs it
                return future.get();
            },
            runs, may_end);
        wait_until(
            [&] {
                const auto slots = board.all_slots().subspan(board.guests.first(), board.guests.used());
                return std::ranges::any_of(slots, [](const detail::task::Slot& slot) {
                    return detail::task::Word{slot.word.load()}.is_parked_for();
                });
            },
            "a guest that parks");
        saboteur.arm(FaultPoint::guest_done, 1, SIGKILL);
        may_end.set();
        CHECK(get_soon(waits) == 5);
        CHECK(saboteur.victim() != 0);
        saboteur.disarm();
        wait_for_full_set(pool);
    }
    require_no_guests(board_of(pool));
    require_whole(pool, muster);
}

TEST_CASE("large arguments and results of guests are freed whoever dies") {
    Saboteur saboteur;
    Muster muster;
    Pool pool{2};
    for (const FaultPoint point :
         {FaultPoint::extent_taken, FaultPoint::guest_filled, FaultPoint::result_half, FaultPoint::guest_read}) {
        for (const int nth : {1, 5}) {
            saboteur.arm(point, nth, SIGKILL);
            std::vector<Future<bool>> futures;
            for (int n = 0; n < 6; ++n) { futures.push_back(pool.apply_async(sends_much, n)); }
            judge_each(futures, true);
            CHECK(saboteur.victim() != 0);
            saboteur.disarm();
            wait_for_full_set(pool);
        }
    }
    require_no_guests(board_of(pool));
    require_whole(pool, muster);
}

TEST_CASE("a guest that dies between two steps leaves its slots to others") {
    const Shared<std::atomic<std::uint64_t>> id{0};
    const Shared<std::atomic<std::uint64_t>> later{0};
    const Shared<detail::client::GuestBoard> board;
    for (const FaultPoint point : {FaultPoint::guest_taken, FaultPoint::guest_filled, FaultPoint::guest_pending,
                                   FaultPoint::guest_pushed, FaultPoint::guest_read}) {
        CAPTURE(static_cast<int>(point));
        id->store(0);
        later->store(0);
        static FaultPoint deadly;
        deadly = point;
        const pid_t victim = start_guest(id, board, [](detail::client::GuestBoard at) {
            std::vector<Future<std::uint64_t>> unread;
            while (unread.size() + 1 < at.board->guests.count()) { unread.push_back(call(at, 1)); }
            detail::fault_hook = [](FaultPoint reached) {
                if (reached == deadly) { ::kill(::getpid(), SIGKILL); }
            };
            static_cast<void>(call(at, 1).get());
        });
        // It needs the slots of the dead one.
        const pid_t survivor = start_guest(later, board, [](detail::client::GuestBoard at) {
            std::vector<Future<std::uint64_t>> futures;
            for (std::uint64_t n = 0; n < 300; ++n) { futures.push_back(call(at, n)); }
            for (std::uint64_t n = 0; n < 300; ++n) {
                if (futures[n].get() != 3 * n) { throw std::runtime_error("a wrong result"); }
            }
        });
        OpenPool pool{{}};
        *board = pool.guests();
        id->store(1);
        siginfo_t ended{};
        ::waitid(P_PID, static_cast<id_t>(victim), &ended, WEXITED | WNOWAIT);  // it stays a zombie
        later->store(1);
        CHECK(has_ended_well(survivor));
        CHECK_FALSE(has_ended_well(victim));
        require_no_guests(*pool.guests().board);
    }
}

TEST_CASE("a guest that sleeps is told that the board's process has died - or its supervisor") {
    enum class Death { while_it_runs, before_it_is_done, of_supervisor };
    const Shared<std::atomic<std::uint64_t>> id{0};
    const Shared<detail::client::GuestBoard> board;
    SharedPage page;
    static Gate may_end{page};
    for (const Death death : {Death::while_it_runs, Death::before_it_is_done, Death::of_supervisor}) {
        CAPTURE(static_cast<int>(death));
        id->store(0);
        may_end = Gate{page};
        Saboteur saboteur;
        const pid_t waits = start_guest(id, board, [](detail::client::GuestBoard at) {
            using F = void (*)();
            const F waits_for_gate = [] { may_end.wait(); };
            Future<void> future{detail::TaskHandle{*detail::client::submit_as_guest(
                at, {.code = detail::call_code<F>},
                [&](Writer& out) { detail::codec::encode_call<F>(out, waits_for_gate); })}};
            try {
                future.get();
            } catch (const ActorDied&) { return; }
            throw std::runtime_error("not told");
        });
        OpenPool pool{{.restarts = 1, .period = 1h}};
        *board = pool.guests();
        id->store(1);
        const detail::task::Board& of = *pool.guests().board;
        wait_until(
            [&] {
                const detail::task::Word word{of.all_slots()[of.guests.first()].word.load()};
                return word.is_slept_on() && word.phase() == detail::task::Phase::started;
            },
            "a guest that sleeps while its task runs");
        switch (death) {
            case Death::while_it_runs: ::kill(pool.pid(), SIGKILL); break;
            case Death::before_it_is_done:
                saboteur.arm(FaultPoint::guest_finishing, 1, SIGKILL);
                may_end.set();
                break;
            case Death::of_supervisor: ::kill(of.control.supervisor_pid.load(), SIGKILL); break;
        }
        CHECK(has_ended_well(waits));
    }
}

TEST_CASE("a guest that finds no room learns that the supervisor has died") {
    const Shared<std::atomic<std::uint64_t>> id{0};
    const Shared<detail::client::GuestBoard> board;
    const Shared<std::atomic<int>> calls{0};
    const pid_t caller = start_guest(id, board, [&](detail::client::GuestBoard at) {
        std::vector<Future<std::uint64_t>> futures;
        try {
            for (;; ++*calls) { futures.push_back(call(at, 1)); }
        } catch (const ActorDied&) {}
        for (auto& future : futures) {
            try {
                future.get();
            } catch (const ActorDied&) { return; }
        }
        throw std::runtime_error("not told");
    });
    OpenPool pool{{}};
    ::kill(pool.pid(), SIGSTOP);
    *board = pool.guests();
    id->store(1);
    const auto room = static_cast<int>(pool.guests().board->guests.count());
    wait_until([&] { return *calls == room; }, "a full board");
    ::kill(pool.guests().board->control.supervisor_pid.load(), SIGKILL);
    CHECK(has_ended_well(caller));
}

TEST_CASE("a guest that was stopped before it took a slot is refused by the next board in that memory") {
    const Shared<std::atomic<std::uint64_t>> id{0};
    const Shared<std::atomic<std::uint64_t>> later{0};
    const Shared<detail::client::GuestBoard> board;
    const pid_t stopped = start_guest(id, board, [](detail::client::GuestBoard at) {
        detail::fault_hook = [](FaultPoint reached) {
            if (reached == FaultPoint::guest_taking) { ::raise(SIGSTOP); }
        };
        try {
            static_cast<void>(call(at, 1));
        } catch (const PoolClosed&) { return; }
        throw std::runtime_error("taken by another board");
    });
    const pid_t right = start_guest(later, board, [](detail::client::GuestBoard at) {
        if (call(at, 2).get() != 6) { throw std::runtime_error("a wrong result"); }
    });
    const detail::task::Board* memory = nullptr;
    {
        OpenPool pool{{}};
        *board = pool.guests();
        memory = board->board;
        id->store(1);
        int status = 0;
        REQUIRE((::waitpid(stopped, &status, WUNTRACED) == stopped && WIFSTOPPED(status)));
    }
    std::optional<OpenPool> next;
    for (std::size_t capacity = 5; !next || next->guests().board != memory; ++capacity) {
        REQUIRE(capacity < 50);
        next.reset();
        next.emplace(detail::worker::ActorLives{}, capacity);  // its parts lie elsewhere
    }
    ::kill(stopped, SIGCONT);
    CHECK(has_ended_well(stopped));
    CHECK(next->guests().board->guests.was_in_use() == 0);
    *board = next->guests();
    later->store(1);
    CHECK(has_ended_well(right));
    require_no_guests(*next->guests().board);
}

TEST_CASE("a sweep leaves a slot alone that another detached task has got meanwhile") {
    const detail::os::Mapping region{std::size_t{64} << 20};
    static detail::task::Board* board;
    static detail::task::Offer later;
    static constexpr std::uint64_t id = 7;
    board = &detail::task::Board::create(
        region, {.slot_count = 4, .seats = 1, .parkers = 1, .guests = 4, .open_to_all = true, .id = id});
    detail::task::Guests& guests = board->guests;
    const detail::sync::Stamp mine = detail::task::Guests::own_stamp();
    static const auto submit = [](detail::task::Guests& to) {
        const auto slot = to.take(detail::task::Guests::own_stamp(), 0, id, [] { return true; });
        return to.publish(slot.value());
    };
    // A task that was detached and is decided, and whose worker has died before it freed the slot.
    const detail::task::Offer first = submit(guests);
    board->all_slots()[first.slot].word.store(
        detail::task::Word::pending(first.generation, false).with(detail::task::Phase::done).bits());
    guests.guest(first.slot).owner.store(detail::task::Guests::detached);
    detail::fault_hook = [](FaultPoint reached) {
        if (reached != FaultPoint::guest_found) { return; }
        detail::fault_hook = nullptr;
        // Another one is faster, and a guest has the slot already for a task that it has detached.
        detail::task::Guests& to = board->guests;
        to.free_detached(board->results, to.first());
        later = submit(to);
        to.detach(board->results, later.slot, false);
    };
    CHECK_FALSE(guests.sweep(board->results, mine));
    detail::fault_hook = nullptr;
    CHECK(later.slot == first.slot);
    const detail::task::Word word{board->all_slots()[later.slot].word.load()};
    CHECK(word.phase() == detail::task::Phase::pending);
    CHECK(word.generation() == later.generation);
    CHECK(guests.guest(later.slot).owner.load() == detail::task::Guests::detached);
}

TEST_CASE("a guest that submits while the pool ends is told so at once") {
    for (const bool closes : {true, false}) {
        CAPTURE(closes);
        const Shared<std::atomic<std::uint64_t>> id{0};
        const Shared<detail::client::GuestBoard> board;
        SharedPage page;
        static Gate filled{page};
        static Gate ended{page};
        filled = Gate{page};
        ended = Gate{page};
        const pid_t guest = start_guest(id, board, [closes](detail::client::GuestBoard at) {
            detail::fault_hook = [](FaultPoint reached) {
                if (reached != FaultPoint::guest_filled) { return; }
                filled.set();
                ended.wait();
            };
            try {
                const Future<std::uint64_t> future = call(at, 1);
                if (!closes && future.ready()) { return; }  // lost
            } catch (const PoolClosed&) {
                if (closes) { return; }
            }
            throw std::runtime_error("not told");
        });
        OpenPool pool{{}};
        *board = pool.guests();
        id->store(1);
        filled.wait();
        closes ? pool.close() : pool.terminate();
        pool.join();
        ended.set();
        CHECK(has_ended_well(guest));
    }
}

TEST_CASE("a guest offers its task again when a wild write has hidden it") {
    const Shared<std::atomic<std::uint64_t>> id{0};
    const Shared<detail::client::GuestBoard> board;
    SharedPage page;
    const Gate begun{page};
    static Gate may_end{page};
    may_end = Gate{page};
    const Gate submitted{page};
    const pid_t guest = start_guest(id, board, [&](detail::client::GuestBoard at) {
        using F = void (*)();
        const F waits_for_gate = [] { may_end.wait(); };
        Future<void> holds{
            detail::TaskHandle{*detail::client::submit_as_guest(at, {.code = detail::call_code<F>}, [&](Writer& out) {
                detail::codec::encode_call<F>(out, waits_for_gate);
            })}};
        wait_until([&] { return holds.running(); }, "its start");
        Future<std::uint64_t> hidden = call(at, 3);
        submitted.set();
        if (get_soon(hidden) != 9) { throw std::runtime_error("a wrong result"); }
    });
    OpenPool pool{{}};
    *board = pool.guests();
    id->store(1);
    submitted.wait();
    detail::task::Ring& ring = pool.guests().board->queue.ring(detail::task::Queue::guests);
    while (!ring.was_empty()) { ring.advance_past(ring.head()); }
    may_end.set();
    CHECK(has_ended_well(guest));
}

TEST_CASE("a guest whose slot has another task does not take its result for its own") {
    const Shared<std::atomic<std::uint64_t>> id{0};
    const Shared<detail::client::GuestBoard> board;
    const pid_t guest = start_guest(id, board, [](detail::client::GuestBoard at) {
        Future<std::uint64_t> first = call(at, 1);
        first.wait();
        at.board->guests.give_back(at.board->results, at.board->guests.first());  // as a wild write would
        Future<std::uint64_t> second = call(at, 2);
        second.wait();
        try {
            first.get();
        } catch (const Error&) {
            if (second.get() == 6) { return; }
        }
        throw std::runtime_error("another's result");
    });
    OpenPool pool{{}};
    *board = pool.guests();
    id->store(1);
    CHECK(has_ended_well(guest));
    require_no_guests(*pool.guests().board);
}

TEST_CASE("a worker runs no more than so many tasks within others that wait") {
    static const Future<void>* awaited = nullptr;
    static int depth = 0;
    const Shared<std::atomic<int>> deepest{0};
    const Shared<std::atomic<int>> ended{0};
    SharedPage page;
    const Gate may_end{page};
    const Counter process{page};
    constexpr int many = 100;
    Pool pool{2};
    auto whole = pool.apply_async(
        [most = deepest.get(), count = ended.get()](Gate until, Counter self) {
            const auto holds = this_worker::submit([](Gate gate) { gate.wait(); }, until);
            wait_until([&] { return holds.running(); }, "the other worker");
            awaited = &holds;
            for (int i = 0; i < many; ++i) {
                static_cast<void>(this_worker::submit([most, count] {
                    if (awaited != nullptr) {  // not with the other worker
                        *most = std::max(most->load(), ++depth);
                        awaited->wait();
                        --depth;
                    }
                    ++*count;
                }));
            }
            self.add(::getpid());
            holds.wait();
            awaited = nullptr;
        },
        may_end, process);
    process.wait_for(1);
    wait_for_sleep(static_cast<pid_t>(process.value()));
    may_end.set();
    CHECK_NOTHROW(get_soon(whole));
    wait_until([&] { return *ended == many; }, "the others");
    CHECK(*deepest > 1);
    CHECK(*deepest < 50);
}

TEST_CASE("the results of a worker whose first thread has ended are still its own") {
    SharedPage page;
    const Gate ready{page};
    const Gate swept{page};
    const Counter worker{page};
    const Counter result{page};
    Pool pool{2};
    auto whole = pool.apply_async(
        [](Gate has_result, Gate goes_on, Counter process, Counter to) {
            auto future = this_worker::submit([] { return 5; });
            wait_until([&] { return future.ready(); }, "another worker");
            std::thread{[=, kept = std::move(future)]() mutable {
                goes_on.wait();
                to.add(kept.get());
                ::_exit(0);
            }}.detach();
            process.add(::getpid());
            has_result.set();
            ::syscall(SYS_exit, 0);
        },
        ready, swept, worker, result);
    ready.wait();
    wait_until([&] { return state_in("/proc/" + std::to_string(worker.value())) == 'Z'; }, "the end of a thread");
    detail::task::Board& board = board_of(pool);
    CHECK(board.guests.was_in_use() == 1);
    CHECK_FALSE(board.guests.sweep(board.results, detail::task::Guests::own_stamp()));
    swept.set();
    CHECK_THROWS_AS(get_soon(whole), WorkerDied);
    CHECK(result.value() == 5);
    require_no_guests(board);
}

TEST_CASE("the slot of a task that nobody waits for is free when the task ends") {
    SharedPage page;
    const Gate begun{page};
    const Gate dropped{page};
    Muster muster;
    Pool pool{2};
    detail::task::Board& board = board_of(pool);
    pool.apply(
        [](Gate here, Gate until) {
            auto future = this_worker::submit(
                [](Gate runs, Gate may_end) {
                    runs.set();
                    may_end.wait();
                },
                here, until);
            here.wait();  // so that it runs elsewhere
            { const auto goes = std::move(future); }
            static_cast<void>(this_worker::submit([] {}));
            until.set();
        },
        begun, dropped);
    wait_until([&] { return board.guests.was_in_use() == 0; }, "free slots");
    const Gate will_die{page};
    pool.apply(
        [](Gate here) {
            static_cast<void>(this_worker::submit(
                [](Gate runs) {
                    runs.set();
                    ::raise(SIGKILL);
                },
                here));
            here.wait();
        },
        will_die);
    wait_until([&] { return board.guests.was_in_use() == 0; }, "a free slot");
    require_whole(pool, muster);
}

TEST_CASE("guests and their worker are killed at random", "[slow]") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random{seed};
    const Shared<std::atomic<std::uint64_t>> id{0};
    const Shared<detail::client::GuestBoard> board;
    const Shared<std::atomic<std::uint64_t>> served{0};
    const auto calls_for_ever = [&](detail::client::GuestBoard at) {
        std::uint64_t n = 0;
        for (std::vector<Future<std::uint64_t>> futures;; futures.clear()) {
            for (int i = 0; i < 5; ++i) { futures.push_back(call(at, ++n)); }
            for (auto& future : futures) {
                try {
                    if (future.get() % 3 != 0) { throw std::logic_error("a wrong result"); }
                    served->fetch_add(1);
                } catch (const ActorDied&) {}
            }
        }
    };
    std::vector<pid_t> spare(40);
    for (pid_t& child : spare) { child = start_guest(id, board, calls_for_ever); }
    OpenPool pool{{.restarts = 1000, .period = 1h}};
    *board = pool.guests();
    id->store(1);
    const auto end = std::chrono::steady_clock::now() + 800ms;
    std::uint64_t before = 0;
    while (std::chrono::steady_clock::now() < end && spare.size() > 3) {
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 20'000});
        if (random() % 3 == 0) {
            ::kill(pool.pid(), SIGKILL);
        } else {
            const std::size_t one = random() % spare.size();
            ::kill(spare[one], SIGKILL);
            CHECK_FALSE(has_ended_well(spare[one]));
            spare.erase(spare.begin() + static_cast<std::ptrdiff_t>(one));
        }
        // Those that are left are served.
        wait_until([&] { return served->load() > before + 10; }, "calls", 10 * recovery);
        before = served->load();
    }
    for (const pid_t child : spare) {
        ::kill(child, SIGKILL);
        CHECK_FALSE(has_ended_well(child));
    }
    wait_until([&] { return pool.guests().board->queue.was_empty(); }, "the last calls", recovery);
    require_no_guests(*pool.guests().board);
}
