// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/exception.hpp>
#include <procpool/worker/loop.hpp>
#include <procpool/worker/this_worker.hpp>

#include "support/catch.hpp"
#include "task/scratch_board.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;
using namespace std::chrono_literals;
using detail::task::Life;
using detail::task::Phase;
using detail::worker::Loop;

namespace {

std::atomic<int> after_task_calls{0};

constexpr detail::worker::WorkerHooks host{.place_of = visibility_in_this_process,
                                           .before_result = [] {},
                                           .after_task = [] { ++after_task_calls; },
                                           .condemned = [] {},
                                           .thread_ended = [] {}};

std::uint64_t number_in(std::span<const std::byte> bytes) {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
    return value;
}

void answer_code(detail::TaskFrame& frame) {
    const std::uint64_t value = number_in(frame.arguments) * 3 + 1;
    frame.result.write(&value, sizeof value);
}
void throw_code(detail::TaskFrame& frame) {
    std::memset(frame.result.claim(100), 1, 100);  // half a result does not count
    throw std::out_of_range("beyond");
}
void large_throw_code(detail::TaskFrame& frame) {
    std::memset(frame.result.claim(detail::task::Extents::extent_size * 2), 1, 1000);
    throw std::out_of_range("beyond");
}
void throw_int_code(detail::TaskFrame&) { throw 42; }
void nothing_code(detail::TaskFrame&) {}

/// Publishes as a client does; the slot must be free.
void submit(const ScratchBoard& board, std::uint32_t slot, std::uint64_t argument,
            detail::TaskCode code = answer_code) {
    board.slot(slot).code = reinterpret_cast<std::uintptr_t>(code);
    board.publish(slot, argument);
    board->wake_for_new_task();
}

void until(const auto& condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) { throw std::runtime_error("waited too long"); }
        std::this_thread::yield();
    }
}

void close(const ScratchBoard& board) {
    board->control.advance(Life::closing);
    board->wake_all();
}

}  // namespace

TEST_CASE("a loop runs one task at a time when asked to") {
    const ScratchBoard board{{4, 2, 1}};
    Loop loop{*board, 1, host};
    CHECK_FALSE(loop.run_one());
    submit(board, 0, 5);
    submit(board, 1, 6);
    const int calls = after_task_calls;
    CHECK(loop.run_one());
    CHECK(after_task_calls == calls + 1);
    CHECK(board.word(0).phase() == Phase::done);
    CHECK(board.result(0) == 16);
    CHECK(board.word(1).phase() == Phase::pending);
    CHECK(loop.run_one());
    CHECK_FALSE(loop.run_one());
    CHECK(board->seats()[1].completed.load() == 2);
    CHECK(board->seats()[1].failed.load() == 0);
    CHECK(board->seats()[1].current.load() == 0);
}

TEST_CASE("what a task throws is its result and nothing of what it wrote before") {
    const ScratchBoard board{{4, 2, 1}};
    Loop loop{*board, 0, host};
    for (const detail::TaskCode code : {detail::TaskCode{throw_code}, detail::TaskCode{large_throw_code}}) {
        submit(board, 0, 5, code);
        CHECK(loop.run_one());
        CHECK(board.slot(0).outcome == Ending::exception);
        Reader in{board->results.payload(0)};
        CHECK_THROWS_WITH(std::rethrow_exception(decode_exception(in)), "beyond");
        CHECK(board.take(0) == Phase::done);
        board->results.release(0);
        board.free(0);
        CHECK(board->results.extents().was_owned() == 0);
    }
    submit(board, 0, 5, throw_int_code);
    CHECK(loop.run_one());
    Reader in{board->results.payload(0)};
    CHECK_THROWS_AS(std::rethrow_exception(decode_exception(in)), RemoteError);
    CHECK(board->seats()[0].failed.load() == 3);
    CHECK(board->seats()[0].completed.load() == 0);
}

TEST_CASE("a task without a result leaves none also where the one before left one") {
    const ScratchBoard board{{1, 1, 1}};
    Loop loop{*board, 0, host};
    for (const detail::TaskCode code : {detail::TaskCode{answer_code}, detail::TaskCode{nothing_code}}) {
        submit(board, 0, 5, code);
        CHECK(loop.run_one());
        CHECK(board->results.payload(0).size() == (code == answer_code ? 8U : 0U));
        CHECK(board.slot(0).outcome == Ending::value);
        CHECK(board.take(0) == Phase::done);
        board.free(0);
    }
}

TEST_CASE("a task learns who runs it", "[thread]") {
    static detail::task::ThreadContext seen;
    static std::uint64_t number = 0;
    const ScratchBoard board{{2, 2, 1}};
    board->control.places = 1;
    board->control.workers = 1;
    CHECK_FALSE(in_worker());
    CHECK_THROWS_AS(this_worker::index(), std::logic_error);
    std::thread thread{[&] {
        detail::task::thread_context = {true, 7, 1234, 0, nullptr};
        Loop{*board, 0, host}.run();
    }};
    submit(board, 0, 0, nothing_code);
    submit(board, 1, 0, [](detail::TaskFrame& frame) {
        seen = {in_worker(), static_cast<std::uint32_t>(this_worker::index()), this_worker::pid(), this_task::attempt(),
                &frame.host};
        number = this_task::id();
        if (detail::task::thread_context.task != &frame.host) { throw std::logic_error("another host"); }
    });
    until([&] { return board.word(1).finished(); });
    close(board);
    thread.join();
    CHECK(seen.in_worker);
    CHECK(seen.index == 7);
    CHECK(seen.pid == 1234);
    CHECK(number == 2);
    CHECK(board.slot(1).outcome == Ending::value);
    CHECK_FALSE(in_worker());
}

TEST_CASE("a task is known by its number where its generation has been another's - 2^32 tasks before") {
    static std::uint64_t id = 0;
    static bool stopped = false;
    const auto look = [](detail::TaskFrame& frame) {
        id = this_task::id();
        stopped = frame.host.stop_requested() || this_task::stop_token().stop_requested();
    };
    const ScratchBoard board{{1, 1, 1}};
    Loop loop{*board, 0, host};
    detail::task::thread_context = {true, 0, 1, 0, nullptr};
    for (const std::uint64_t number : {std::uint64_t{7}, std::uint64_t{7} + (std::uint64_t{1} << 32)}) {
        board.slot(0).code = reinterpret_cast<std::uintptr_t>(detail::TaskCode{look});
        board->arguments.seal(0, board->arguments.first_buffer(0), 0);
        board->number_of(0).store(number);
        board->publish({0, 7}, detail::task::Queue::usual, false);
        CHECK(loop.run_one());
        CHECK(id == number);
        CHECK_FALSE(stopped);
        board->request_stop(0, detail::task::Word::pending(7, false).started_by(0), number,
                            board.slot(0).stop_request.load());  // comes late
        CHECK(board.take(0) == Phase::done);
        board.free(0);
    }
    detail::task::thread_context = {};
}

TEST_CASE("a task leaves nothing on its seat that another of its generation could be taken for") {
    const ScratchBoard board{{1, 1, 1}};
    Loop loop{*board, 0, host};
    detail::task::Slot& slot = board.slot(0);
    slot.traits.store(detail::task::Slot::limited);
    board->issue(0).traits.store(detail::task::Slot::limited);
    board->issue(0).timeout.store(1'000'000'000);
    submit(board, 0, 0, [](detail::TaskFrame& frame) {
        frame.host.start_items(0);
        frame.host.finish_items(3, frame.result);
    });
    CHECK(loop.run_one());
    CHECK(board->seats()[0].items_done.load() == 3);
    CHECK(board->seats()[0].item.load() == 0);
    CHECK(board->seats()[0].progress.load() == 0);
}

TEST_CASE("a loop ends when the pool is closed and nothing is left - asleep or not", "[thread]") {
    for (int round = 0; round < 50; ++round) {
        const ScratchBoard board{{8, 4, 1}};
        board->control.places = 3;
        board->control.workers = 3;
        board->control.spinners = round % 2 == 0 ? 1 : 0;
        std::vector<std::thread> threads;
        for (std::uint32_t seat = 0; seat < 3; ++seat) {
            threads.emplace_back([&, seat] { Loop{*board, seat, host}.run(); });
        }
        if (round % 3 == 0) {
            until([&] { return board->sleeping.was_size() == 3; });
        }
        for (std::uint32_t i = 0; i < 8; ++i) { submit(board, i, i); }
        close(board);
        for (std::thread& thread : threads) { thread.join(); }
        for (std::uint32_t i = 0; i < 8; ++i) {
            REQUIRE(board.word(i).phase() == Phase::done);
            REQUIRE(board.result(i) == 3 * i + 1);
        }
    }
}

TEST_CASE("what was published before a close is run also when both come between two looks of a worker",
          "[thread][slow]") {
    // The worker starts its loop while the other side publishes and closes: at some offset it has just found nothing.
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    constexpr int rounds = 3000;
#else
    constexpr int rounds = 40'000;
#endif
    const ScratchBoard board{{1, 1, 1}, std::size_t{4} << 20};
    board->control.places = 1;
    board->control.workers = 1;
    std::atomic<int> begun{0};
    std::atomic<int> ended{0};
    std::atomic<bool> over{false};
    std::thread thread{[&] {
        for (int round = 1; round <= rounds; ++round) {
            while (begun.load() < round) {
                if (over) { return; }
                std::this_thread::yield();
            }
            Loop{*board, 0, host}.run();
            ended = round;
        }
    }};
    int lost = 0;
    int played = 0;
    const auto end =
        std::chrono::steady_clock::now() + 60s;  // a busy machine takes long for a round, in which both threads yield
    for (int round = 1; round <= rounds && std::chrono::steady_clock::now() < end; ++round) {
        board->control.life.store(Life::open);
        begun = round;
        for (std::uint64_t pause = random() % 100; pause > 0; --pause) { detail::relax(); }
        submit(board, 0, 1);
        close(board);
        until([&] { return ended.load() == round; });
        if (board.word(0).phase() != Phase::done) {
            ++lost;
            Loop{*board, 0, host}.run_one();
        }
        if (!board.take(0)) { break; }
        board.free(0);
        played = round;
    }
    over = true;
    thread.join();
    CHECK(lost == 0);
    CHECK(played > 0);
    CHECK(ended == played);
}

TEST_CASE("sleeping workers are woken for every task", "[thread][slow]") {
    const std::uint64_t seed = std::random_device{}();
    const std::uint32_t workers = GENERATE(1U, 2U, 4U);
    const std::uint32_t spinners = GENERATE(0U, 1U, 2U);
    CAPTURE(seed, workers, spinners);
    std::mt19937_64 random{seed};
    constexpr std::uint32_t slots = 8;
    const ScratchBoard board{{slots, workers, 1}, std::size_t{16} << 20};
    board->control.places = workers;
    board->control.workers = workers;
    board->control.spinners = spinners;
    std::vector<std::thread> threads;
    for (std::uint32_t seat = 0; seat < workers; ++seat) {
        threads.emplace_back([&, seat] { Loop{*board, seat, host}.run(); });
    }
    std::uint64_t submitted = 0;
    std::uint64_t right = 0;
    bool stuck = false;
    const auto last = std::chrono::steady_clock::now() +
                      10s;  // a busy machine takes long for a burst: a worker that spins yields many times
    for (int burst = 0; burst < 400 && !stuck && (burst == 0 || std::chrono::steady_clock::now() < last); ++burst) {
        const auto count = static_cast<std::uint32_t>(1 + random() % slots);
        for (std::uint32_t i = 0; i < count; ++i) {
            submit(board, i, submitted + i);
            if (random() % 4 == 0) { std::this_thread::sleep_for(std::chrono::microseconds{random() % 50}); }
        }
        const auto end = std::chrono::steady_clock::now() + 10s;
        for (std::uint32_t i = 0; i < count; ++i) {
            while (!board.take(i) && !stuck) {
                stuck = std::chrono::steady_clock::now() > end;
                std::this_thread::yield();
            }
            right += board.result(i) == (submitted + i) * 3 + 1 ? 1U : 0U;
            board.free(i);
        }
        submitted += count;
        // Until all sleep, or while they still spin, or in between.
        if (random() % 3 == 0) {
            until([&] { return board->sleeping.was_size() == workers; });
        }
        if (random() % 3 == 1) { std::this_thread::sleep_for(std::chrono::microseconds{random() % 60}); }
    }
    close(board);
    for (std::thread& thread : threads) { thread.join(); }
    CHECK_FALSE(stuck);
    CHECK(right == submitted);
}

TEST_CASE("a burst of tasks keeps all sleepers busy not just the one that was woken", "[thread]") {
    static std::atomic<int> running;
    static std::atomic<bool> go;
    running = 0;
    go = false;
    const ScratchBoard board{{8, 3, 1}};
    board->control.places = 3;
    board->control.workers = 3;
    board->control.spinners = GENERATE(0U, 1U, 3U);
    std::vector<std::thread> threads;
    for (std::uint32_t seat = 0; seat < 3; ++seat) {
        threads.emplace_back([&, seat] { Loop{*board, seat, host}.run(); });
    }
    until([&] { return board->sleeping.was_size() == 3; });
    for (std::uint32_t i = 0; i < 3; ++i) {
        submit(board, i, 0, [](detail::TaskFrame&) {
            ++running;
            while (!go) { std::this_thread::yield(); }
        });
    }
    until([] { return running == 3; });
    go = true;
    close(board);
    for (std::thread& thread : threads) { thread.join(); }
    CHECK(running == 3);
}

TEST_CASE("a result that meets a verdict does not count and holds nothing") {
    static const ScratchBoard* current = nullptr;
    const ScratchBoard board{{1, 1, 1}};
    current = &board;
    submit(board, 0, 0, [](detail::TaskFrame& frame) {
        std::memset(frame.result.claim(detail::task::Extents::extent_size), 1, 100);
        current->slot(0).word.store(current->word(0).condemned(Ending::cancelled).bits());
    });
    Loop{*board, 0, host}.run_one();
    CHECK(board.word(0).phase() == Phase::started);
    CHECK(board->results.extents().was_owned() == 0);
}
