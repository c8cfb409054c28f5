// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Drivers: threads of the parent that see calls through that nobody waits in.

#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>

#include <atomic>
#include <list>
#include <mutex>
#include <thread>
#include <utility>

namespace procpool::inline v0::detail::pool {

/// A pool's. They end with the calls they are for. In a forked child it must not be destroyed: the threads are not
/// there.
class Drivers {
public:
    Drivers() = default;
    Drivers(const Drivers&) = delete;
    Drivers& operator=(const Drivers&) = delete;
    /// Blocks until all have ended.
    ~Drivers() {
        for (Driver& driver : drivers_) { driver.thread.join(); }
    }

    /// Effects: run() is called on a thread of its own, with all signals blocked; it throws nothing. Called by: any
    /// thread. Throws: std::system_error when no thread can be had.
    template <class Run>
    void start(Run run) {
        const std::lock_guard guard{mutex_};
        drivers_.remove_if([](Driver& driver) {
            if (!driver.ended.load(std::memory_order_acquire)) { return false; }
            driver.thread.join();
            return true;
        });
        Driver& driver = drivers_.emplace_back();
        try {
            const os::AllSignalsBlocked inherited_by_the_thread;
            driver.thread = std::thread([run = std::move(run), &ended = driver.ended]() mutable noexcept {
                {
                    const os::InProgramCode here;
                    Run last = std::move(run);  // what it holds goes before it has ended
                    last();
                }
                ended.store(true, std::memory_order_release);
            });
        } catch (...) {
            drivers_.pop_back();
            throw;
        }
    }

private:
    struct Driver {
        std::thread thread;
        std::atomic<bool> ended{false};
    };

    std::mutex mutex_;
    std::list<Driver> drivers_;
};

}  // namespace procpool::detail::pool
