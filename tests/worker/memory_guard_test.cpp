// SPDX-License-Identifier: BSL-1.0
#include <procpool/worker/memory_guard.hpp>

#include "support/catch.hpp"
#include "support/events.hpp"
#include "task/scratch_board.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace procpool;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::task::Dismissal;
using detail::task::Seat;
using detail::task::SeatState;

namespace {

constexpr std::uint32_t workers = 6;
constexpr std::uint64_t mega = std::uint64_t{1} << 20;
constexpr std::uint64_t reserve = 100 * mega;

std::uint64_t left_over = 0;

/// A process that takes as much memory as it is told.
class Grower {
public:
    Grower() : wanted_(page_), taken_(page_), pid_(::fork()) {
        if (pid_ != 0) { return; }
        for (std::int64_t have = 0;; ::usleep(100)) {
            for (; have < wanted_.value(); ++have) {
                void* const at = ::mmap(nullptr, mega, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                std::memset(at, 1, mega);
                taken_.add();
            }
        }
    }
    Grower(const Grower&) = delete;
    Grower& operator=(const Grower&) = delete;
    ~Grower() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] pid_t pid() const { return pid_; }
    void take(std::int64_t megabytes) const {
        wanted_.add(megabytes);
        taken_.wait_for(wanted_.value());
    }

private:
    SharedPage page_;
    Counter wanted_;
    Counter taken_;
    pid_t pid_;
};

/// Six workers of a pool, played by one process that sleeps and one that takes memory, on the seat of index 0.
class Guarded {
public:
    explicit Guarded(detail::worker::MemoryLimits limits) : guard_(board(), limits) {
        detail::worker::memory_source = {[] { return left_over; }, [] { return 0.0; }};
        left_over = reserve + 1000 * mega;
        board().control.workers = workers;
        guard_.start();
        for (std::uint32_t seat = 0; seat < workers; ++seat) {
            board().seats()[seat].index = seat;
            guard_.begin(seat);
            board().seats()[seat].state = SeatState::ready;
            board().sitter(seat) = seat == 0 ? large.pid() : other_.pid();
        }
    }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;
    ~Guarded() {
        detail::worker::memory_source = {detail::worker::available_memory_here, detail::worker::memory_pressure_here};
    }

    [[nodiscard]] detail::task::Board& board() { return *board_; }
    void publish() const { board_.publish(3, 0); }
    [[nodiscard]] Seat& seat(std::uint32_t number) { return board().seats()[number]; }
    /// Effects: looks when it is time to.
    void look() {
        std::this_thread::sleep_until(guard_.next_time());
        look_between();
    }
    void look_between() {
        guard_.look([this](std::uint32_t number) { killed.push_back(number); },
                    [this](std::uint32_t number) { replaced.push_back(number); });
    }
    [[nodiscard]] std::ptrdiff_t going_on() {
        if (!board().control.orders.look().is_paused()) { return workers; }
        return std::ranges::count_if(board().seats(), [](const Seat& its) { return its.goes_on.load() != 0; });
    }
    [[nodiscard]] std::uint64_t excess() const { return guard_.excess_of(0); }

    Grower large;
    std::vector<std::uint32_t> killed;
    std::vector<std::uint32_t> replaced;

private:
    Grower other_;
    ScratchBoard board_{{.slot_count = 8, .seats = 2 * workers + 2, .parkers = 1}};
    detail::worker::MemoryGuard guard_;
};

constexpr detail::worker::MemoryLimits with_reserve{.reserve = reserve};

}  // namespace

TEST_CASE("the number of workers that take tasks doubles at each look while some run and the need stays") {
    Guarded pool{with_reserve};
    CHECK(pool.going_on() == 1);
    for (int i = 0; i < 3; ++i) {  // nothing is known of tasks as long as none has run
        pool.look();
        CHECK(pool.going_on() == 1);
    }
    pool.seat(0).current = 1;
    for (const std::ptrdiff_t number : {2, 4, 6, 6}) {
        pool.look();
        CHECK(pool.going_on() == number);
    }
}

TEST_CASE("no more workers are let go on while the need grows and no more than can have it") {
    Guarded pool{with_reserve};
    pool.seat(0).current = 1;
    for (int i = 0; i < 3; ++i) {
        pool.large.take(30);
        pool.look();
        CHECK(pool.going_on() == 1);
    }
    pool.look();
    CHECK(pool.going_on() == 2);
    // One has 90 MB, and so could a second.
    left_over = reserve + 100 * mega;
    pool.look();
    CHECK(pool.going_on() == 2);
    left_over = reserve + 80 * mega;
    pool.look();
    CHECK(pool.going_on() == 1);
    // Nobody runs anything: all may begin, when there is room for all.
    left_over = reserve + 1000 * mega;
    pool.seat(0).current = 0;
    pool.look();
    pool.look();
    CHECK(pool.going_on() == 6);
}

TEST_CASE("below the reserve one worker goes on and always one that can") {
    Guarded pool{with_reserve};
    pool.seat(0).current = 1;
    for (int i = 0; i < 4; ++i) { pool.look(); }
    CHECK(pool.going_on() == 6);
    left_over = reserve - 1;
    pool.look();
    CHECK(pool.going_on() == 1);
    for (std::uint32_t gone = 0; gone + 1 < workers; ++gone) {
        const auto one = static_cast<std::uint32_t>(
            std::ranges::find_if(pool.board().seats(), [](const Seat& its) { return its.goes_on.load() != 0; }) -
            pool.board().seats().begin());
        switch (gone) {
            case 0: pool.board().sitter(one) = detail::task::Board::nobody; break;
            case 1: pool.seat(one).state = SeatState::leaving; break;
            case 2: pool.seat(one).dismissal = Dismissal::replaced; break;
            case 3: pool.seat(one).index = workers; break;  // a spare worker
            default: pool.seat(one).state = SeatState::starting; break;
        }
        pool.look_between();
        CHECK(pool.going_on() == 1);
        CHECK(pool.seat(one).goes_on.load() == 0);
    }
    // None is left but one that starts.
    const auto last = static_cast<std::uint32_t>(
        std::ranges::find_if(pool.board().seats(), [](const Seat& its) { return its.goes_on.load() != 0; }) -
        pool.board().seats().begin());
    pool.seat(last).state = SeatState::vacant;
    pool.look_between();
    CHECK(pool.going_on() == 1);
    pool.board().control.advance(detail::task::Life::closing);
    pool.look_between();
    CHECK(pool.going_on() == 6);  // nobody has to wait any more
}

TEST_CASE("only a worker that runs a task is killed and its task is condemned with the figure") {
    Guarded pool{{.kill_rss = 50 * mega}};
    pool.look();
    pool.large.take(60);
    pool.seat(0).items_done = 1;
    pool.look();
    CHECK(pool.killed.empty());
    CHECK(pool.replaced == std::vector<std::uint32_t>{0});  // it is idle
    detail::task::Board& board = pool.board();
    pool.publish();
    const auto claim = board.claim(0);
    REQUIRE(claim);
    pool.seat(0).current = claim->slot + 1;
    pool.look();
    CHECK(pool.killed == std::vector<std::uint32_t>{0});
    CHECK(pool.excess() > 59 * mega);
    const detail::task::Word word{board.all_slots()[claim->slot].word.load()};
    REQUIRE(word.is_condemned());
    CHECK(word.verdict() == Ending::memory_exceeded);
    pool.look();  // it is condemned already
    CHECK(pool.killed.size() == 1);
}

TEST_CASE("a worker over the soft limit is replaced once and not before it has done something") {
    Guarded pool{{.max_rss = 50 * mega}};
    pool.large.take(60);
    pool.look();
    CHECK(pool.replaced.empty());
    pool.seat(0).current = 1;
    pool.look();
    pool.look();
    CHECK(pool.replaced == std::vector<std::uint32_t>{0});
    CHECK(pool.killed.empty());
}
