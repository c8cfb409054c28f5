// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// DiskSync: a thread that has what was written to a file put on the disk, once a second.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/function_ref.hpp>
#include <procpool/os/per_process.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace procpool::inline v0::detail::persist {

/// A disk may take a tenth of a second for it, so it is not done by the thread that writes. There is no thread before
/// the first interval has passed: short calls pay nothing. In a forked child only the destructor may be called; the
/// thread is not there.
class DiskSync : public os::OfOneProcess {
public:
    static constexpr std::chrono::seconds interval{1};

    /// sync: called by the thread, and by the destructor.
    explicit DiskSync(std::function<void()> sync, std::chrono::nanoseconds every = interval);
    DiskSync(const DiskSync&) = delete;
    DiskSync& operator=(const DiskSync&) = delete;
    /// Effects: what was written is on the disk, if there was a thread.
    ~DiskSync();

    /// Effects: something was written, and will be on the disk soon. Called by: one thread.
    void note_written();

private:
    /// Used by the thread. A child that was forked can destroy none of it: it may hang in that.
    struct Shared {
        std::function<void()> sync;
        std::chrono::nanoseconds every;
        std::mutex mutex = {};
        std::condition_variable wakes = {};
        std::atomic<bool> dirty{false};
        bool ends = false;
        std::thread thread = {};

        void serve();
    };

    Shared* const shared_;
    bool has_thread_ = false;
    const Clock::time_point begin_ = Clock::now();
};

}  // namespace procpool::detail::persist

#if PROCPOOL_BODIES
#include <procpool/persist/disk_sync.ipp>
#endif
