// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/board.hpp>

#include "support/catch.hpp"
#include "task/scratch_board.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using detail::task::Phase;
using detail::task::Word;

// One producer, some workers, a collector and perhaps a thread that withdraws, each a thread, over a board so small
// that they meet all the time. ThreadSanitizer checks that the words order the payloads.

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr std::uint64_t tasks = 40'000;
#else
constexpr std::uint64_t tasks = 200'000;
#endif

std::uint64_t answer(std::uint64_t argument) { return argument * 3 + 1; }

struct Tally {
    std::uint64_t done = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t twice = 0;
    std::uint64_t wrong = 0;
    std::uint64_t out_of_order = 0;
    std::uint64_t run_and_cancelled = 0;
    std::uint64_t published = 0;
    bool in_time = true;
};

Tally play(std::uint32_t slots, std::uint32_t workers, bool withdrawals, std::uint64_t seed) {
    const ScratchBoard board{{slots, workers, 1}, std::size_t{16} << 20};
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{120};
    std::vector<std::atomic<std::uint8_t>> ran(tasks);  // how often a worker started each
    std::vector<std::uint8_t> ended(tasks);             // how often the collector saw it
    std::atomic<std::uint64_t> collected{0};
    std::atomic<std::uint64_t> out_of_order{0};
    std::atomic<std::uint64_t> published{tasks};  // fewer where every yield takes milliseconds, as on a busy machine
    const auto enough = end - std::chrono::seconds{100};
    std::atomic<bool> over{false};
    std::mutex free_mutex;
    std::vector<std::uint32_t> free;
    for (std::uint32_t i = 0; i < slots; ++i) { free.push_back(i); }

    std::vector<std::thread> threads;
    for (std::uint32_t seat = 0; seat < workers; ++seat) {
        threads.emplace_back([&, seat] {
            std::uint64_t next = 0;
            while (!over) {
                const auto claim = board->claim(seat);
                if (!claim) {
                    std::this_thread::yield();
                    continue;
                }
                const std::uint64_t argument = board.argument(claim->slot);
                if (argument < next) { ++out_of_order; }
                next = argument + 1;
                if (argument < tasks) { ++ran[argument]; }
                board.write_result(claim->slot, answer(argument));
                if (!board->finish(*claim, seat)) { ++out_of_order; }
            }
        });
    }
    threads.emplace_back([&] {
        for (std::uint64_t i = 0; i < tasks && !over;) {
            std::uint32_t slot = slots;
            {
                const std::lock_guard guard{free_mutex};
                if (!free.empty() && !board.ring().is_full()) {
                    slot = free.back();
                    free.pop_back();
                }
            }
            if (slot == slots) {
                if (std::chrono::steady_clock::now() >= enough) {
                    published = i;
                    break;
                }
                std::this_thread::yield();
            } else {
                board.publish(slot, i++);
            }
        }
    });
    if (withdrawals) {
        threads.emplace_back([&] {
            std::mt19937_64 random{seed};
            while (!over) {
                const auto slot = static_cast<std::uint32_t>(random() % slots);
                const Word word = board.word(slot);
                if (word.phase() == Phase::pending) { board->withdraw(slot, word.generation()); }
                if (random() % 8 == 0) { std::this_thread::yield(); }
            }
        });
    }

    Tally tally;
    while (collected < published && tally.in_time) {
        bool found = false;
        for (std::uint32_t slot = 0; slot < slots; ++slot) {
            const auto phase = board.take(slot);
            if (!phase) { continue; }
            found = true;
            const std::uint64_t argument = board.argument(slot);
            if (argument >= tasks) {
                ++tally.wrong;
            } else {
                tally.twice += ended[argument]++ != 0 ? 1U : 0U;
                if (*phase == Phase::done) {
                    ++tally.done;
                    tally.wrong += board.result(slot) == answer(argument) ? 0U : 1U;
                } else {
                    ++tally.cancelled;
                    tally.wrong += *phase == Phase::cancelled ? 0U : 1U;
                    tally.run_and_cancelled += ran[argument] != 0 ? 1U : 0U;
                }
            }
            board.free(slot);
            ++collected;
            const std::lock_guard guard{free_mutex};
            free.push_back(slot);
        }
        if (!found) {
            std::this_thread::yield();
            tally.in_time = std::chrono::steady_clock::now() < end;
        }
    }
    over = true;
    for (std::thread& thread : threads) { thread.join(); }
    for (const auto& one : ran) { tally.twice += one > 1 ? 1U : 0U; }
    if (workers == 1) { tally.out_of_order = out_of_order; }
    tally.published = published;
    return tally;
}

void check(std::uint32_t slots, std::uint32_t workers, bool withdrawals) {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(slots, workers, withdrawals, seed);
    const Tally tally = play(slots, workers, withdrawals, seed);
    CHECK(tally.in_time);
    CHECK(tally.published > 0);
    CHECK(tally.done + tally.cancelled == tally.published);
    CHECK(tally.twice == 0);
    CHECK(tally.wrong == 0);
    CHECK(tally.run_and_cancelled == 0);
    CHECK(tally.out_of_order == 0);
    if (!withdrawals) { CHECK(tally.cancelled == 0); }
}

}  // namespace

TEST_CASE("one worker runs every task once in order", "[thread][slow]") { check(GENERATE(4U, 64U), 1, false); }

TEST_CASE("several workers run every task once", "[thread][slow]") {
    check(GENERATE(4U, 16U, 64U), GENERATE(2U, 4U), false);
}

TEST_CASE("a task that somebody withdraws is run or cancelled never both never neither", "[thread][slow]") {
    check(GENERATE(4U, 64U), GENERATE(1U, 3U), true);
}
