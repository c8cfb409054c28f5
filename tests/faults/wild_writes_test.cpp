// SPDX-License-Identifier: BSL-1.0
// A task may write anywhere that its worker can. These tests overwrite such memory, from the parent where the writer
// does not matter.
#include "faults/whole.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>
#include <csignal>

using namespace procpool_test;

namespace {

/// The time after which a hang has become an error.
constexpr std::chrono::nanoseconds soon = 5 * recovery;

using detail::task::Phase;
using detail::task::Word;

[[nodiscard]] long peak_megabytes() {
    std::ifstream file{"/proc/self/status"};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("VmHWM")) { return std::stol(line.substr(line.find_first_of("0123456789"))) / 1024; }
    }
    return 0;
}

/// Returns: the slot of the only task that has this phase.
[[nodiscard]] std::uint32_t slot_with(const Pool& pool, Phase phase) {
    const auto slots = board_of(pool).used_slots();
    for (std::uint32_t i = 0; i < slots.size(); ++i) {
        if (Word{slots[i].word.load()}.phase() == phase) { return i; }
    }
    throw std::logic_error("there is no such task");
}

/// A pool whose workers are all busy until it is opened.
class Blocked {
public:
    explicit Blocked(std::size_t workers, std::size_t recycled_after = 0)
        : open_(page_),
          begun_(page_),
          pool(PoolOptions{.workers = workers, .max_tasks_per_worker = recycled_after, .queue_capacity = 64}) {
        for (std::size_t i = 0; i < workers; ++i) { block(); }
        begun_.wait_for(static_cast<std::int64_t>(workers));
    }
    void block() {
        blocks_.push_back(pool.apply_async(
            [](Counter begun, Gate open) {
                begun.add();
                open.wait();
            },
            begun_, open_));
    }
    void open() {
        open_.set();
        for (Future<void>& block : blocks_) { get_soon(block, soon); }
        blocks_.clear();
    }

private:
    SharedPage page_;
    Gate open_;
    Counter begun_;
    std::vector<Future<void>> blocks_;

public:
    Pool pool;
};

void require_works(Pool& pool) {
    for (int i = 0; i < 5; ++i) { CHECK(get_soon(pool.apply_async(same, i), soon) == i); }
    std::vector<int> in(100);
    std::iota(in.begin(), in.end(), 0);
    CHECK(pool.map(same, in) == in);
    pool.close();
    CHECK(pool.join_for(soon));
}

/// Throws unless the task is lost because it was overwritten.
template <class T>
void require_overwritten(Future<T>& future) {
    try {
        static_cast<void>(get_soon(future, soon));
        FAIL("it was not lost");
    } catch (const Error& error) {
        CHECK(std::string(error.what()).find("has written where the pool kept it") != std::string::npos);
    }
}

// ---- what workers cannot write

TEST_CASE("what parent and supervisor rely on cannot be written by workers") {
    Pool pool{PoolOptions{.workers = 1, .queue_capacity = 64}};
    detail::task::Board& board = board_of(pool);
    CHECK(pool.apply(same, 1) == 1);
    const std::pair<const char*, void*> places[] = {
        {"pointers", &board},
        {"life", &board.control.life},
        {"the number of workers", &board.control.workers},
        {"a ring", &board.queue.ring(detail::task::Queue::usual)},
        {"a task's issue", &board.issue(0)},
        {"notes", board.notes()},
        {"arguments", board.arguments.window(0).data()},
        {"crashes", &board.crashes},
        {"the first byte of the guarded side", board.argument_side().data()},
        {"the last byte of the guarded side", board.argument_side().data() + board.argument_side().size() - 1},
    };
    for (const auto& [name, place] : places) {
        INFO(name);
        auto writer = pool.apply_async([](std::uintptr_t at) { *reinterpret_cast<volatile char*>(at) = 1; },
                                       reinterpret_cast<std::uintptr_t>(place));
        CHECK_THROWS_AS(get_soon(writer, soon), WorkerDied);
    }
    require_works(pool);
}

// ---- words

TEST_CASE("a pending task whose word is overwritten is lost and nothing else is") {
    constexpr std::uint64_t keeps = 0xffffffff00000000;
    const std::pair<std::uint64_t, std::uint64_t> writes[] = {
        // bits that stay, bits that come
        {0, 0},
        {0, ~std::uint64_t{0}},
        {0, 0x4141414141414141},
        {0, 3},
        {0, 1},
        {0, 0x12345678'00000003},
        {keeps, 0},
        {keeps, static_cast<std::uint64_t>(Phase::taken)},
        {keeps, 9},
        {keeps, 0xffffffff},
        {keeps,
         (std::uint64_t{0xfff} << 20) | static_cast<std::uint64_t>(Phase::started)},  // by a seat that there is not
    };
    for (const auto& [stays, comes] : writes) {
        CAPTURE(stays, comes);
        Blocked blocked{2};
        auto before = blocked.pool.apply_async(same, 1);
        auto hurt = blocked.pool.apply_async(same, 2);
        std::atomic<std::uint64_t>& word = board_of(blocked.pool).all_slots()[3].word;
        REQUIRE(Word{word.load()}.phase() == Phase::pending);
        word.store((word.load() & stays) | comes);
        blocked.open();
        require_overwritten(hurt);
        CHECK(get_soon(before, soon) == 1);
        CHECK(blocked.pool.stats().failed == 1);
        require_works(blocked.pool);
    }
}

TEST_CASE("a running task whose word is overwritten is lost with the worker that runs it or without") {
    for (const bool goes_on : {true, false}) {
        SharedPage page;
        const Gate begun{page};
        const Gate open{page};
        Pool pool{PoolOptions{.workers = 1, .queue_capacity = 64}};
        auto hurt = pool.apply_async(
            [](Gate started, Gate gate) {
                started.set();
                gate.wait();
                return 1;
            },
            begun, open);
        begun.wait();
        board_of(pool).all_slots()[0].word.store(0x4141414141414142);
        if (goes_on) { open.set(); }
        require_overwritten(hurt);
        require_works(pool);
    }
}

TEST_CASE("a task is lost that no worker runs though its word says so") {
    enum class Runner { vacant, sleeping, busy, spare };
    for (const Runner runner : {Runner::vacant, Runner::sleeping, Runner::busy, Runner::spare}) {
        CAPTURE(static_cast<int>(runner));
        Blocked blocked{2, runner == Runner::spare ? std::size_t{100} : std::size_t{0}};
        detail::task::Board& board = board_of(blocked.pool);
        const auto seat_that = [&](auto condition) {
            std::uint32_t found = detail::task::SeatSet::nobody;
            wait_until(
                [&] {
                    for (std::uint32_t i = 0; i < board.seats().size(); ++i) {
                        if (condition(board.seats()[i])) { found = i; }
                    }
                    return found != detail::task::SeatSet::nobody;
                },
                "a seat");
            return found;
        };
        auto hurt = blocked.pool.apply_async(same, 2);
        const std::uint32_t slot = slot_with(blocked.pool, Phase::pending);
        const std::uint32_t seat = seat_that([&](const detail::task::Seat& one) {
            switch (runner) {
                case Runner::vacant: return one.state.load() == detail::task::SeatState::vacant;
                case Runner::sleeping:
                case Runner::busy: return one.state.load() == detail::task::SeatState::ready && one.current.load() != 0;
                case Runner::spare: break;
            }
            return one.state.load() == detail::task::SeatState::ready && one.index.load() == 2;
        });
        if (runner == Runner::sleeping) {
            blocked.open();
            CHECK(get_soon(hurt, soon) == 2);
            wait_until([&] { return board.sleeping.contains(seat); }, "a sleeper");
            hurt = blocked.pool.apply_async(same, 3);
            hurt.wait();  // decided, so no worker runs it
        }
        std::atomic<std::uint64_t>& word =
            board.all_slots()[slot_with(blocked.pool, runner == Runner::sleeping ? Phase::done : Phase::pending)].word;
        static_cast<void>(slot);
        word.store(Word{word.load()}.started_by(seat).bits());
        require_overwritten(hurt);
        if (runner != Runner::sleeping) { blocked.open(); }
        require_works(blocked.pool);
    }
}

TEST_CASE("a worker that can never say that its task is done is replaced") {
    SharedPage page;
    const Gate begun{page};
    const Gate open{page};
    Pool pool{PoolOptions{.workers = 1, .queue_capacity = 64}};
    auto hurt = pool.apply_async(
        [](Gate started, Gate gate) {
            started.set();
            gate.wait();
        },
        begun, open);
    begun.wait();
    std::atomic<std::uint64_t>& word = board_of(pool).all_slots()[0].word;
    word.store(Word{word.load()}.with(Phase::done).bits());  // as it will be
    open.set();
    get_soon(hurt, soon);
    require_works(pool);
}

// ---- the queue

TEST_CASE("heads of the queue that are overwritten hide no task") {
    for (const std::uint64_t head : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{6}, std::uint64_t{7},
                                     std::uint64_t{100}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        CAPTURE(head);
        Blocked blocked{2};
        std::vector<Future<int>> futures;
        for (int i = 0; i < 5; ++i) { futures.push_back(blocked.pool.apply_async(same, i)); }
        auto urgent = blocked.pool.apply_async(TaskOptions{.priority = 2}, same, 7);
        board_of(blocked.pool).from_workers.queue.heads[detail::task::Queue::usual].position.store(head);
        board_of(blocked.pool).from_workers.queue.in_use.store(0);
        blocked.open();
        for (int i = 0; i < 5; ++i) { CHECK(get_soon(futures[static_cast<std::size_t>(i)], soon) == i); }
        CHECK(get_soon(urgent, soon) == 7);
        for (int i = 0; i < 300; ++i) {
            CHECK(get_soon(blocked.pool.apply_async(same, i), soon) == i);
        }  // round and round
        require_works(blocked.pool);
    }
}

TEST_CASE("a task that the queue has lost is offered again") {
    Blocked blocked{1};
    auto hidden = blocked.pool.apply_async(same, 5);
    detail::task::Ring& ring = board_of(blocked.pool).queue.ring(detail::task::Queue::usual);
    for (std::uint32_t i = 0; i < 128; ++i) { ring.push({63, 0}); }  // over its entry; of no task
    board_of(blocked.pool).from_workers.queue.heads[detail::task::Queue::usual].position.store(ring.tail());
    blocked.open();
    CHECK(get_soon(hidden, soon) == 5);
    require_works(blocked.pool);
}

TEST_CASE("mail that is no mail keeps neither workers nor the end of the pool") {
    for (const std::uint64_t letter :
         {std::uint64_t{1}, std::uint64_t{40}, std::uint64_t{0xffffff}, ~std::uint64_t{0}}) {
        Pool pool{PoolOptions{.workers = 2, .queue_capacity = 64}};
        for (detail::task::Mailbox& box : board_of(pool).mailboxes()) {
            std::memcpy(static_cast<void*>(&box), &letter, sizeof letter);
        }
        CHECK(pool.broadcast([] { return 1; }) == std::vector{1, 1});
        require_works(pool);
    }
}

TEST_CASE("mail that is overwritten is delivered") {
    Blocked blocked{2};
    std::vector<int> answers;
    std::thread caller{[&] { answers = blocked.pool.broadcast([] { return 1; }); }};
    wait_until([&] { return board_of(blocked.pool).has_mail(); }, "mail");
    wait_until([&] { return blocked.pool.stats().submitted == 4; }, "mail for all");
    for (detail::task::Mailbox& box : board_of(blocked.pool).mailboxes()) {
        std::memset(static_cast<void*>(&box), 0, sizeof(std::uint64_t));
    }
    blocked.open();
    caller.join();
    CHECK(answers == std::vector{1, 1});
    require_works(blocked.pool);
}

// ---- the sets of sleepers

TEST_CASE("workers whose sleep is overwritten wake for tasks and for the end") {
    for (const std::uint32_t value : {0U, 2U, 7U, 0xffffffffU}) {
        for (const bool only_ends : {false, true}) {
            CAPTURE(value, only_ends);
            Pool pool{PoolOptions{.workers = 2, .queue_capacity = 64}};
            CHECK(pool.apply(same, 1) == 1);
            detail::task::Board& board = board_of(pool);
            wait_until([&] { return board.sleeping.was_size() == 2; }, "sleepers");
            for (detail::task::Seat& seat : board.seats()) {
                std::memcpy(static_cast<void*>(&seat.parker), &value, sizeof value);
            }
            if (!only_ends) { CHECK(get_soon(pool.apply_async(same, 2), soon) == 2); }
            pool.close();
            CHECK(pool.join_for(soon));
        }
    }
}

TEST_CASE("sets of seats that are overwritten cost time at most") {
    for (const bool full : {false, true}) {
        for (const bool spinning : {false, true}) {
            CAPTURE(full, spinning);
            Pool pool{PoolOptions{.workers = 2, .queue_capacity = 64}};
            CHECK(pool.apply(same, 1) == 1);
            detail::task::Board& board = board_of(pool);
            wait_until([&] { return board.sleeping.was_size() == 2; }, "sleepers");
            detail::task::SeatSet& set = spinning ? board.spinning : board.sleeping;
            for (std::uint32_t seat = 0; seat < 64; ++seat) {
                if (full) {
                    set.add(seat);
                } else {
                    static_cast<void>(set.remove(seat));
                }
            }
            for (int i = 0; i < 4; ++i) { CHECK(get_soon(pool.apply_async(same, i), soon) == i); }
            require_works(pool);
        }
    }
}

TEST_CASE("notes of who waits that are overwritten name nobody that there is not") {
    for (const std::uint32_t value : {1U, 65U, 0x41414141U, 0xffffffffU}) {
        Pool pool{PoolOptions{.workers = 2, .max_tasks_per_worker = 3, .queue_capacity = 64}};
        detail::task::FromWorkers& words = board_of(pool).from_workers;
        words.capacity_waiter.store(value);
        words.spare.store(value);
        words.retiree.store(value);
        for (int i = 0; i < 20; ++i) { CHECK(get_soon(pool.apply_async(same, i), soon) == i); }
        require_works(pool);
    }
}

TEST_CASE("a spare worker that nobody can find is found") {
    Pool pool{PoolOptions{.workers = 1, .max_tasks_per_worker = 2, .queue_capacity = 64}};
    detail::task::Board& board = board_of(pool);
    wait_until([&] { return board.from_workers.spare.load() != 0; }, "a spare worker");
    board.from_workers.spare.store(0);
    for (detail::task::Seat& seat : board.seats()) {
        if (seat.index.load() == 1) { seat.index.store(0x41414141); }
    }
    for (int i = 0; i < 10; ++i) { CHECK(get_soon(pool.apply_async(same, i), soon) == i); }
    require_works(pool);
}

// ---- what tasks wait for

std::atomic<std::uint64_t>& missing_to(const detail::task::Board& board, std::uint32_t slot);
template <auto member>
struct MissingTo {
    friend std::atomic<std::uint64_t>& missing_to(const detail::task::Board& board, std::uint32_t slot) {
        return (board.*member)(slot, 0);
    }
};
template struct MissingTo<&detail::task::Board::missing_word>;

/// Effects: every task that is in a slot misses something, as far as a task can write that; or those that have waited.
void overwrite_missing(const Pool& pool, bool all) {
    using detail::task::Links;
    const detail::task::Board& board = board_of(pool);
    for (std::uint32_t slot = 0; slot < board.used_slots().size(); ++slot) {
        const auto number = static_cast<std::uint32_t>(board.number_of(slot).load());
        std::atomic<std::uint64_t>& missing = missing_to(board, slot);
        if (all || Links::number_of(missing.load()) == number) { missing.store(Links::word(number, 0x7ffffffe)); }
    }
}

TEST_CASE("decided tasks that seem to wait for others keep neither these nor their slots") {
    SharedPage page;
    const Gate open{page};
    Pool pool{{.workers = 1, .queue_capacity = 8}};
    for (int round = 0; round < 3; ++round) {
        auto first = pool.apply_async(same, round);
        auto second = pool.apply_async(same, std::move(first));
        second.wait();
        overwrite_missing(pool, false);
        CHECK(get_soon(second, soon) == round);
    }
    CHECK(slots_in_use(pool) == 3);
    auto held = pool.apply_async([](Gate gate) { gate.wait(); }, open);
    wait_until(
        [&] {
            static_cast<void>(held.wait_for(50ms));  // those that wait look for such damage
            return slots_in_use(pool) == 1;
        },
        "slots to be given back", soon);
    open.set();
    get_soon(held, soon);
    require_works(pool);
}

// Each round would keep a slot or two for ever, so that none is left in the end.
TEST_CASE("cancelled tasks that seem to wait for others keep neither these nor their slots") {
    SharedPage page;
    for (const bool waits : {true, false}) {
        CAPTURE(waits);
        Pool pool{{.workers = 1, .queue_capacity = 4}};
        for (int round = 0; round < 8; ++round) {
            const Gate open{page};
            const Gate begun{page};
            auto first = pool.apply_async(
                [](Gate started, Gate gate) {
                    started.set();
                    gate.wait();
                    return 1;
                },
                begun, open);
            begun.wait();
            auto second = waits ? pool.apply_async(same, std::move(first)) : pool.apply_async(same, 2);
            CHECK(second.cancel());
            if (!waits) { overwrite_missing(pool, true); }
            CHECK_THROWS_AS(get_soon(second, soon), TaskCancelled);
            open.set();
            wait_until(
                [&] {
                    for (const detail::task::Slot& slot : board_of(pool).used_slots()) {
                        if (Word{slot.word.load()}.phase() == Phase::started) { return false; }
                    }
                    return true;
                },
                "a task to end", soon);
            overwrite_missing(pool, !waits);
        }
        require_works(pool);
    }
}

// ---- reports

TEST_CASE("a chunk's report that cannot be is no report") {
    for (const bool crashes : {true, false}) {
        for (const std::uint64_t wrong : {std::uint64_t{500'000'000}, ~std::uint64_t{0}, std::uint64_t{501}}) {
            CAPTURE(crashes, wrong);
            Pool pool{1};
            const long before = peak_megabytes();
            const auto board = reinterpret_cast<std::uintptr_t>(&board_of(pool));
            std::vector<int> in(1000);
            std::iota(in.begin(), in.end(), 0);
            const auto call = [&] {
                pool.map(
                    MapOptions{.chunk_size = 500},
                    [board, wrong, crashes](int n) {
                        if (n != 700) { return n; }
                        auto& there = *reinterpret_cast<detail::task::Board*>(board);
                        for (const detail::task::Seat& seat : there.seats()) {
                            if (seat.pid.load() == ::getpid()) {
                                std::memcpy(there.results.window(seat.current.load() - 1).data(), &wrong, sizeof wrong);
                            }
                        }
                        if (crashes) { ::raise(SIGSEGV); }
                        return n;
                    },
                    in);
            };
            if (crashes) {
                CHECK_THROWS_AS(call(), WorkerDied);
            } else {
                call();  // it writes another one when it is through
            }
            CHECK(peak_megabytes() - before < 64);
            require_works(pool);
        }
    }
}

TEST_CASE("a result that lies where there is no memory of its task is not read") {
    const std::string text(1'000'000, 'x');
    Pool pool{PoolOptions{.workers = 1, .queue_capacity = 64}};
    const auto large = [](std::size_t size) { return std::string(size, 'y'); };
    const std::function<void(detail::task::Slot&)> writes[] = {
        [](detail::task::Slot& slot) { slot.large_result.size = ~std::uint64_t{0}; },
        [](detail::task::Slot& slot) { slot.large_result.run.store(~std::uint64_t{0}); },
        [](detail::task::Slot& slot) { slot.large_result.run.store((std::uint64_t{1000} << 32) | 3); },
        [](detail::task::Slot& slot) { slot.result_bytes = 0x7fffffff; },
    };
    const long before = peak_megabytes();
    for (const auto& write : writes) {
        auto future = pool.apply_async(large, text.size());
        future.wait();
        write(board_of(pool).all_slots()[slot_with(pool, Phase::done)]);
        CHECK_THROWS_AS(future.get(), CodecError);
    }
    CHECK(peak_megabytes() - before < 64);
    require_works(pool);
}

TEST_CASE("what is told of a task is no longer than it can be") {
    Blocked blocked{1};
    auto hurt = blocked.pool.apply_async(same, 1);
    detail::task::Slot& slot = board_of(blocked.pool).all_slots()[slot_with(blocked.pool, Phase::pending)];
    slot.traits.store(detail::task::Slot::labelled);  // the task has no label
    slot.loss.store(static_cast<Ending>(200));
    slot.word.store(0);
    board_of(blocked.pool).from_workers.reason_text.fill('x');
    board_of(blocked.pool).from_workers.reason_state.store(2);
    CHECK(board_of(blocked.pool).from_workers.reason().size() ==
          board_of(blocked.pool).from_workers.reason_text.size());
    blocked.open();
    require_overwritten(hurt);
    require_works(blocked.pool);
}

TEST_CASE("the processes of workers are told by who forked them") {
    Pool pool{2};
    const std::vector<WorkerInfo> before = pool.workers();
    REQUIRE(before.size() == 2);
    for (detail::task::Seat& seat : board_of(pool).seats()) {
        if (seat.state.load() == detail::task::SeatState::vacant) {
            seat.state.store(detail::task::SeatState::ready);
        } else {
            seat.pid.store(1);
        }
    }
    const std::vector<WorkerInfo> after = pool.workers();
    REQUIRE(after.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) { CHECK(after[i].pid == before[i].pid); }
    require_works(pool);
}

// ---- anything

/// The parts of a board that workers write.
[[nodiscard]] std::vector<std::pair<std::uintptr_t, std::size_t>> open_places(detail::task::Board& board) {
    std::vector<std::pair<std::uintptr_t, std::size_t>> places;
    const auto add = [&](const auto* first, std::size_t bytes) {
        places.emplace_back(reinterpret_cast<std::uintptr_t>(first), bytes);
    };
    add(&board.from_workers, offsetof(detail::task::FromWorkers, reason_text));
    for (detail::task::Seat& seat : board.seats()) { add(&seat, offsetof(detail::task::Seat, crash)); }
    add(board.parkers().data(), board.parkers().size_bytes());
    add(board.mailboxes().data(), board.mailboxes().size_bytes());
    for (std::uint32_t slot = 0; slot < 24; ++slot) {
        add(&board.all_slots()[slot], sizeof(detail::task::Slot));
        add(&board.all_slots()[slot].word, sizeof(std::uint64_t));
        add(&board.label(slot), sizeof(detail::task::TaskLabel));
    }
    return places;
}

struct WildWriter {
    std::uint64_t seed;
    int writes;
    void operator()(const std::vector<std::pair<std::uintptr_t, std::size_t>>& places) const {
        std::mt19937_64 random{seed};
        for (int i = 0; i < writes; ++i) {
            const auto& [begin, bytes] = places[random() % places.size()];
            const std::size_t width = std::size_t{1} << (random() % 4);
            auto* const at = reinterpret_cast<void*>(begin + random() % (bytes / width) * width);
            std::uint64_t old = 0;
            std::memcpy(&old, at, width);
            const std::array<std::uint64_t, 11> values{0,
                                                       ~std::uint64_t{0},
                                                       random(),
                                                       0x4141414141414141,
                                                       random() % 100,
                                                       old ^ (std::uint64_t{1} << random() % (8 * width)),
                                                       old + 1,
                                                       old - 1,
                                                       1,
                                                       2,
                                                       3};
            std::memcpy(at, &values[random() % values.size()], width);
        }
    }
};

/// One pool in which a task writes wildly, and its other work. Returns: a description of any failure that must not
/// happen.
[[nodiscard]] std::string run_wildly(std::uint64_t seed, int writes) {
    std::string wrong;
    const auto may_fail = [&](const char* what, const auto& call) {
        try {
            if (!call()) { wrong += std::string(what) + " has a wrong result; "; }
        } catch (const std::exception&) {  // is what a wild write may cost
        }
    };
    const auto end_in_time = [&](auto& future) {
        if (future.wait_for(soon) != std::future_status::ready) { throw std::logic_error("a task hangs"); }
    };
    Pool pool{PoolOptions{.workers = static_cast<std::size_t>(1 + seed % 3),
                          .max_tasks_per_worker = static_cast<std::size_t>(seed % 5 == 4 ? 7 : 0),
                          .queue_capacity = 64}};
    std::vector<Future<std::string>> before;
    for (int i = 0; i < 12; ++i) {
        before.push_back(pool.apply_async([](int n) { return std::string(static_cast<std::size_t>(40 + n), 'a'); }, i));
    }
    auto wild = pool.apply_async(WildWriter{seed, writes}, open_places(board_of(pool)));
    end_in_time(wild);
    may_fail("the wild task", [&] { return wild.get(), true; });
    for (auto& future : before) {
        end_in_time(future);
        may_fail("", [&] { return static_cast<void>(future.get()), true; });  // results of that time may be wrong
    }
    std::vector<int> in(200);
    std::iota(in.begin(), in.end(), 0);
    auto map = pool.map_async(same, in);
    end_in_time(map);
    may_fail("a later map", [&] { return map.get() == in; });
    for (int i = 0; i < 5; ++i) {
        auto later = pool.apply_async([](std::string text) { return text; }, std::string(1000, 'x'));
        end_in_time(later);
        may_fail("a later task", [&] { return later.get() == std::string(1000, 'x'); });
    }
    static_cast<void>(pool.stats());
    static_cast<void>(pool.workers());
    pool.close();
    if (!pool.join_for(soon)) {
        wrong += "close() does not end the pool; ";
        pool.kill();
        if (!pool.join_for(soon)) { wrong += "nor does kill()"; }
    }
    return wrong;
}

TEST_CASE("wild writes cost errors and neither a hang nor the parent nor its memory", "[slow]") {
    const long before = peak_megabytes();
    for (std::uint64_t seed = 0; seed < (under_sanitizer ? 40 : 160); ++seed) {
        CAPTURE(seed);
        CHECK(run_wildly(seed, seed % 4 == 3 ? 20 : 1) == "");
    }
    CHECK(peak_megabytes() - before < 64);
}

TEST_CASE("a task whose mail another one hides when the pool is closed still ends") {
    SharedPage page;
    const Gate open{page};
    const Counter begun{page};
    Pool pool{2};
    auto block = pool.apply_on_async(
        0,
        [](Counter started, Gate gate) {
            started.add();
            gate.wait();
        },
        begun, open);
    begun.wait_for(1);
    const pid_t worker = pool.apply_on(1, [] { return this_worker::pid(); });
    ::kill(worker, SIGSTOP);
    auto hidden = pool.apply_on_async(1, [] { return 7; });
    std::atomic<std::uint64_t>& head = board_of(pool).mailboxes()[1].head();
    head.store(1'000'000);
    pool.close();
    ::kill(worker, SIGCONT);
    wait_until_gone(worker, soon);
    open.set();
    try {
        CHECK(get_soon(hidden, soon) == 7);
    } catch (const Error&) {  // overwritten, or that worker's casualty
    }
    get_soon(block, soon);
    pool.join();
}

}  // namespace
