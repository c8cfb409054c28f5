// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Setup: the settings that the workers of a pool are made with, and how they run initializer and finalizer.

#include <procpool/core/config.hpp>
#include <procpool/core/mpi_options.hpp>
#include <procpool/os/affinity.hpp>
#include <procpool/os/inner_threads.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/initializer.hpp>
#include <procpool/worker/state.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::worker {

class Companion;

/// How the deaths of an actor's process are answered.
struct ActorLives {
    std::uint32_t restarts = 0;  ///< so many within the period; with one more the actor is dead
    std::chrono::milliseconds period{0};
    bool each_allowed = false;  ///< by the parent instead: see task::ActorRecord
};

/// Limits of memory, in bytes; 0: none. As the options of that name.
struct MemoryLimits {
    std::uint64_t max_rss = 0;
    std::uint64_t kill_rss = 0;
    std::uint64_t reserve = 0;

    [[nodiscard]] bool any() const noexcept { return max_rss != 0 || kill_rss != 0 || reserve != 0; }
};

struct Setup {
    std::uint32_t places;  ///< how many workers there may be; task::Control::workers are made at first
    Initializer initializer;
    std::function<void()> finalizer;
    std::chrono::milliseconds start_timeout;
    std::chrono::milliseconds terminate_grace;
    std::string name;
    bool recycles = false;                 ///< workers are replaced after some items, so one more is kept ready
    bool backtraces = false;               ///< exceptions tell where they were thrown
    std::optional<ActorLives> actor = {};  ///< the pool serves one
    MpiOptions mpi = {};
    MemoryLimits memory = {};
    Companion* companion = nullptr;  ///< beside the workers; outlives the pool's supervisor
    bool is_far = false;             ///< results go on to another machine
    bool on_first_stack =
        true;  ///< the caller's stack is as large as `ulimit -s` allows, so workers may use their copy of it
    std::chrono::milliseconds idle_timeout{0};  ///< workers without tasks for so long leave; 0: none does
    std::size_t min_workers = 1;                ///< so many stay
    std::vector<os::CpuSet> processors = {};    ///< in turns, what each worker is bound to; empty: nothing
    os::InnerThreads inner_threads = {};
};

/// Describes the exception being handled, for people. Called by: a catch block.
[[nodiscard]] std::string describe_current_exception();

/// Runs the initializer, if there is one; what it returns is the worker's state. Calls failed(reason) when it throws,
/// in the catch block: a thread that pthread_exit() unwinds must not leave it. Returns: whether the worker may run
/// tasks.
template <class Failed>
[[nodiscard]] bool initialize(const Setup& setup, std::uint32_t index, std::unique_ptr<State>& state, Failed failed) {
    if (!setup.initializer) { return true; }
    try {
        state = setup.initializer.make_state();
        task::thread_context.state = state.get();
        return true;
    } catch (...) {
        const std::string what =
            setup.actor ? "the actor's constructor" : "the initializer of worker " + std::to_string(index);
        failed(what + " threw " + describe_current_exception());
        return false;
    }
}

/// Runs the finalizer, if there is one, and logs what it throws: the worker ends anyway, and no task is left to fail.
/// Then the worker's state is destroyed.
void finalize(const Setup& setup, std::uint32_t index, std::unique_ptr<State> state) noexcept;

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/setup.ipp>
#endif
