// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Watcher: takes one snapshot after the other of all pools of this user's programs, and compares each with the last.

#include <procpool/view/foreign_pool.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace procpool_top {

namespace view = procpool::detail::view;

/// The knowledge that the last snapshot adds to what this one says.
struct WorkerChange {
    std::optional<double> rate;  ///< tasks per second
    std::optional<double> cpu;   ///< fraction of one processor
    std::optional<double> age;   ///< of the task, in seconds
    bool age_is_minimum = false;
};

struct ShownPool {
    view::ForeignPool pool;
    std::vector<WorkerChange> workers;  ///< as pool.view.workers
    std::optional<double> rate;         ///< tasks per second that ended
};

/// A process whose pool cannot be shown.
struct Refused {
    std::int32_t pid;
    std::string name;
    std::string why;
};

struct Snapshot {
    double time = 0;               ///< Unix time, seconds
    double took = 0;               ///< seconds
    std::vector<ShownPool> pools;  ///< by program, then in the order in which they were built, as good as always
    std::vector<Refused> refused;
    std::size_t hidden = 0;  ///< processes of other users, which may have pools
};

class Watcher {
public:
    /// only: of the program with a process of that number; 0: all programs.
    explicit Watcher(std::int32_t only = 0) : only_(only) {}

    /// Looks for new pools every two seconds at most, and when one is gone: at processes that were not there before,
    /// and once a minute at all, since a process may have got the number of another.
    [[nodiscard]] Snapshot look();

private:
    using Clock = std::chrono::steady_clock;
    using Name = std::pair<std::uint64_t, std::uint64_t>;
    struct Task {
        std::uint32_t slot;
        std::uint32_t generation;
        Clock::time_point seen;  ///< for the first time
    };
    struct Worker {
        std::uint64_t tasks_done;
        std::optional<double> cpu_seconds;
        std::optional<double> cpu;  ///< as it was shown
        std::optional<Task> task;
    };
    struct Before {
        Clock::time_point when;
        std::uint64_t ended;
        view::ForeignPool pool;
        std::map<std::int32_t, Worker> workers;
    };

    void find(Clock::time_point now);
    [[nodiscard]] ShownPool compare(view::ForeignPool pool, Clock::time_point now);

    std::int32_t only_;
    procpool::detail::os::OpenFiles found_;
    std::set<std::int32_t> processes_;  // that have been looked at
    std::optional<Clock::time_point> found_at_;
    std::optional<Clock::time_point> found_all_at_;
    std::map<Name, Before> before_;
};

}  // namespace procpool_top
