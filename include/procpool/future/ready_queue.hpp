// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ReadyQueue: callbacks for a thread that sleeps on file descriptors.

#include <procpool/future/completion.hpp>
#include <procpool/os/descriptor.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace procpool::inline v0::detail::future {

/// Called by: any thread of the process that made it.
class ReadyQueue {
public:
    /// Readable while there is a callback. Owned by this object.
    [[nodiscard]] int descriptor() const noexcept { return event_.number(); }

    void push(std::unique_ptr<Callback> callback) noexcept {
        const std::lock_guard guard{mutex_};
        if (callbacks_.empty()) { event_.raise(); }
        callbacks_.push(std::move(callback));
    }

    /// Effects: calls one, the lock not held. Returns: false when there is none. Throws: what it throws.
    bool run_one() {
        std::unique_ptr<Callback> first;
        {
            const std::lock_guard guard{mutex_};
            first = callbacks_.pop();
            if (callbacks_.empty()) { event_.lower(); }
        }
        if (first) { first->run(); }
        return first != nullptr;
    }

    /// Returns: how many there are now.
    [[nodiscard]] std::size_t was_size() const {
        const std::lock_guard guard{mutex_};
        return callbacks_.size();
    }

private:
    os::Event event_;
    mutable std::mutex mutex_;
    CallbackList callbacks_;
};

}  // namespace procpool::detail::future
