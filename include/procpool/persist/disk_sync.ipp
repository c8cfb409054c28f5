// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/persist/disk_sync.hpp>

#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>

#include <memory>
#include <system_error>
#include <utility>

namespace procpool::inline v0::detail::persist {

PROCPOOL_DECL DiskSync::DiskSync(std::function<void()> sync, std::chrono::nanoseconds every)
    : shared_(new Shared{.sync = std::move(sync), .every = every}) {}

PROCPOOL_DECL DiskSync::~DiskSync() {
    if (!is_mine()) { return; }
    const std::unique_ptr<Shared> shared{shared_};
    if (!shared->thread.joinable()) { return; }
    {
        const std::lock_guard guard{shared->mutex};
        shared->ends = true;
    }
    shared->wakes.notify_one();
    shared->thread.join();
    if (shared->dirty) { shared->sync(); }
}

/// Memory order: a thread that sees that something was written asks the system for all of it, so relaxed.
PROCPOOL_DECL void DiskSync::note_written() {
    shared_->dirty.store(true, std::memory_order_relaxed);
    if (has_thread_ || Clock::now() - begin_ < shared_->every) { return; }
    const os::AllSignalsBlocked inherited_by_the_thread;
    try {
        shared_->thread = std::thread{[shared = shared_] { shared->serve(); }};
        has_thread_ = true;
    } catch (const std::system_error&) {}  // no thread is to be had: the system writes to the disk in its own time
}

PROCPOOL_DECL void DiskSync::Shared::serve() {
    os::name_process("procpool:sync");  // the thread, that is
    std::unique_lock lock{mutex};
    while (!ends) {
        lock.unlock();
        if (dirty.exchange(false, std::memory_order_relaxed)) { sync(); }
        lock.lock();
        wakes.wait_for(lock, every, [this] { return ends; });
    }
}

}  // namespace procpool::detail::persist
