// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// CallThreads: one background thread for each map_async().

#include <procpool/core/config.hpp>
#include <procpool/future/callback.hpp>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace procpool::inline v0::detail::client {
class Client;
}

namespace procpool::inline v0::detail::pool {

/// A pool's. They end with the calls they are for; the destructor blocks until all have ended. In a forked child it
/// must not be destroyed: the threads are not there.
class CallThreads {
public:
    /// Effects: the call is run on a thread of its own, with all signals blocked, or here where the pool has no
    /// workers; it throws nothing. Called by: any thread. Throws: std::system_error when no thread can be had.
    void start(const client::Client& client, std::unique_ptr<future::Callback> call);

private:
    struct CallThread {
        std::atomic<bool> has_ended{false};
        std::jthread thread;
    };

    std::mutex mutex_;
    std::list<CallThread> threads_;
};

}  // namespace procpool::detail::pool

#if PROCPOOL_BODIES
#include <procpool/pool/call_threads.ipp>
#endif
