// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/board.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "task/scratch_board.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using detail::task::Phase;
using detail::task::Word;

// Worker processes that run the board's loop and are killed at random moments. The test plays parent and supervisor, in
// one thread.

namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kills = 60;
#else
constexpr int kills = 200;
#endif

std::uint64_t answer(std::uint64_t argument) { return argument * 5 + 2; }

/// The large ones keep a worker busy in its memory, so that it also dies there.
std::size_t result_size(std::uint64_t argument) {
    if (argument % 50 == 0) { return detail::task::Extents::extent_size + 100; }
    return argument % 3 == 0 ? 200 : 8;
}

class Crew {
public:
    Crew(const ScratchBoard& board, std::uint32_t workers) : board_(board), workers_(workers) {
        for (Worker& worker : workers_) { start(worker); }
    }
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;
    ~Crew() {
        for (const Worker& worker : workers_) { ::kill(worker.pid, SIGKILL); }
        for (const Worker& worker : workers_) { ::waitpid(worker.pid, nullptr, 0); }
    }

    /// Kills one, settles what it leaves as Supervisor::settle() does, and puts a new one on another seat. Returns: how
    /// many tasks were lost.
    int kill(std::size_t which) {
        Worker& victim = workers_[which];
        ::kill(victim.pid, SIGKILL);
        siginfo_t info{};
        ::waitid(P_PID, static_cast<id_t>(victim.pid), &info, WEXITED);
        int lost = 0;
        for (std::uint32_t i = 0; i < board_->all_slots().size(); ++i) {
            const Word word = board_.word(i);
            if (word.phase() == Phase::started && word.seat() == victim.seat) {
                lost += board_->lose(i, word.generation(), Ending::died) ? 1 : 0;
            }
        }
        start(victim);
        return lost;
    }

private:
    struct Worker {
        pid_t pid = 0;
        std::uint32_t seat = 0;
    };

    void start(Worker& worker) {
        worker.seat = next_seat_++ % static_cast<std::uint32_t>(board_->seats().size());
        worker.pid = start_child([this, seat = worker.seat] {
            for (;;) {
                const auto claim = board_->claim(seat);
                if (!claim) {
                    ::sched_yield();
                    continue;
                }
                const std::uint64_t argument = board_.argument(claim->slot);
                auto& store = board_->results;
                std::span<std::byte> buffer = store.first_buffer(claim->slot);
                const std::size_t size = result_size(argument);
                if (size > buffer.size()) { buffer = store.grow(claim->slot, claim->generation, buffer, 0, size); }
                const std::uint64_t value = answer(argument);
                std::memcpy(buffer.data(), &value, sizeof value);
                if (size > sizeof value) {
                    std::memset(buffer.data() + sizeof value, static_cast<int>(argument & 0xff), size - sizeof value);
                }
                store.seal(claim->slot, buffer, size);
                if (!board_->finish(*claim, seat)) { return 1; }
            }
            return 0;
        });
    }

    const ScratchBoard& board_;
    std::vector<Worker> workers_;
    std::uint32_t next_seat_ = 0;
};

bool is_right(std::span<const std::byte> result, std::uint64_t argument) {
    std::uint64_t value = 0;
    if (result.size() != result_size(argument)) { return false; }
    std::memcpy(&value, result.data(), sizeof value);
    const auto mark = static_cast<std::byte>(argument & 0xff);
    return value == answer(argument) &&
           std::ranges::all_of(result.subspan(sizeof value), [mark](std::byte one) { return one == mark; });
}

}  // namespace

TEST_CASE("a worker killed at any moment costs at most the task it ran and every other result is right") {
    const std::uint64_t seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937_64 random{seed};
    constexpr std::uint32_t slots = 16;
    const ScratchBoard board{{slots, 8, 1}, std::size_t{32} << 20};
    Crew crew{board, 3};

    std::vector<std::uint32_t> free;
    for (std::uint32_t i = 0; i < slots; ++i) { free.push_back(i); }
    std::uint64_t submitted = 0;
    std::uint64_t done = 0;
    std::uint64_t lost = 0;
    std::uint64_t wrong = 0;
    int killed = 0;
    int most_lost = 0;
    const auto collect = [&] {
        for (std::uint32_t slot = 0; slot < slots; ++slot) {
            const auto phase = board.take(slot);
            if (!phase) { continue; }
            const std::uint64_t argument = board.argument(slot);
            if (*phase == Phase::done) {
                ++done;
                wrong += is_right(board->results.payload(slot), argument) ? 0U : 1U;
                board->results.release(slot);
            } else {
                ++lost;
                if (board->results.is_large(slot)) { board->results.release(slot); }  // sealed, and then it died
                board->results.extents().release_all_of(
                    detail::task::Extents::stamp(slot, board.word(slot).generation()));
            }
            board.free(slot);
            free.push_back(slot);
        }
    };
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{50};
    auto next_kill = std::chrono::steady_clock::now() + std::chrono::milliseconds{5};
    while (killed < kills && std::chrono::steady_clock::now() < end) {
        while (!free.empty() && !board.ring().is_full()) {
            board.publish(free.back(), submitted++);
            free.pop_back();
        }
        collect();
        if (std::chrono::steady_clock::now() >= next_kill) {
            most_lost = std::max(most_lost, crew.kill(random() % 3));
            ++killed;
            next_kill = std::chrono::steady_clock::now() + std::chrono::microseconds{random() % 8000};
        }
    }
    while (free.size() < slots && std::chrono::steady_clock::now() < end + std::chrono::seconds{5}) { collect(); }
    CHECK(killed == kills);
    CHECK(free.size() == slots);  // nothing is stuck
    CHECK(most_lost <= 1);
    CHECK(lost <= static_cast<std::uint64_t>(killed));
    CHECK(done + lost == submitted);
    CHECK(wrong == 0);
    CHECK(done > static_cast<std::uint64_t>(killed));
    CHECK(board->results.extents().was_owned() == 0);
    CHECK(board->arguments.extents().was_owned() == 0);
}
