// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PoolView: a pool at some moment, as one sees it who has its board's memory or its file.

#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/task/board_head.hpp>
#include <procpool/task/latencies.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::view {

/// Times are in seconds. Texts may hold any bytes: tasks and other programs have written them.
struct TaskView {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;  ///< tells it from the slot's next one
    std::optional<std::uint64_t> number;
    std::optional<std::string> label;
    std::optional<double> age;  ///< since it was started
    std::optional<std::uint64_t> items_done;
    std::optional<unsigned> attempt;
    std::optional<double> timeout;
};

struct WorkerView {
    enum class State { starting, idle, busy, leaving };
    static constexpr std::array<std::string_view, 4> states{"starting", "idle", "busy", "leaving"};

    std::uint32_t seat = 0;
    std::optional<std::uint32_t> index;  ///< none: it waits for one
    std::int32_t pid = 0;
    State state = State::starting;
    std::optional<TaskView> task;  ///< only by read_pool()
    std::uint64_t tasks_done = 0;  ///< by this process
    double uptime = 0;
    std::optional<std::uint64_t> resident_bytes;
    std::optional<std::uint64_t> shared_bytes;  ///< of these, of files and shared memory
    std::optional<double> cpu_seconds;

    [[nodiscard]] std::string_view state_name() const noexcept { return states[static_cast<std::size_t>(state)]; }
};

struct QueueView {
    struct Level {
        std::uint64_t pending = 0;
        std::uint64_t blocked = 0;
    };
    std::uint64_t capacity = 0;
    std::uint64_t blocked = 0;
    std::uint64_t pending = 0;
    std::uint64_t running = 0;
    std::uint64_t ended = 0;            ///< their results are not taken yet
    bool is_exact = true;               ///< false: as many as in the part of the slots that was looked at
    Level guests;                       ///< those of tasks that tasks have submitted
    Level for_one_worker;               ///< apply_on() and its like
    std::array<Level, 8> priorities{};  ///< from 3 down to -4

    /// Effects: stands for that many times as many slots.
    void scale(double by) noexcept {
        is_exact = false;
        const auto all = [by](auto&... counts) {
            ((counts = static_cast<std::uint64_t>(static_cast<double>(counts) * by)), ...);
        };
        all(blocked, pending, running, ended, guests.pending, guests.blocked, for_one_worker.pending,
            for_one_worker.blocked);
        for (Level& level : priorities) { all(level.pending, level.blocked); }
    }
};

/// Times of tasks, counted by powers of two of ticks.
struct Times {
    task::Histogram::Counts waiting{};
    task::Histogram::Counts running{};
    double nanoseconds_per_tick = 1;
};

struct PoolView {
    std::string name;
    std::int32_t supervisor = 0;  ///< as the pool's processes see its number
    std::string_view state;       ///< "open", "closing", "terminated", "killed", "broken"
    std::string reason;           ///< why it is broken
    bool is_paused = false;
    bool is_reforking = false;
    double uptime = 0;
    std::uint32_t workers_wanted = 0;
    std::vector<WorkerView> workers;  ///< by index
    QueueView queue;
    std::array<std::uint64_t, task::BoardHead::endings> ended{};  ///< tasks, by Ending
    std::uint64_t retried = 0;
    std::uint64_t started = 0;  ///< workers
    std::uint64_t recycled = 0;
    std::map<std::string, std::uint64_t> deaths;  ///< of workers, unasked, by reason: "SIGSEGV", "exit"
    std::optional<Times> times;                   ///< where they are measured

    [[nodiscard]] std::uint64_t all_ended() const noexcept {
        std::uint64_t sum = 0;
        for (const std::uint64_t some : ended) { sum += some; }
        return sum;
    }
    [[nodiscard]] std::size_t count(WorkerView::State which) const noexcept {
        std::size_t sum = 0;
        for (const WorkerView& worker : workers) { sum += worker.state == which ? 1 : 0; }
        return sum;
    }
};

}  // namespace procpool::detail::view
