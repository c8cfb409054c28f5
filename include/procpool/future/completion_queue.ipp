// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/completion_queue.hpp>

#include <procpool/os/descriptor.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

namespace procpool::inline v0 {

struct CompletionQueue::Ready {
    detail::os::Event event;  // readable while there is a callback
    std::mutex mutex;
    detail::future::CallbackList callbacks;
};

PROCPOOL_DECL CompletionQueue::CompletionQueue() : ready_(std::make_shared<Ready>()) {}

PROCPOOL_DECL int CompletionQueue::native_handle() const noexcept { return ready_->event.number(); }

PROCPOOL_DECL void CompletionQueue::push(Ready& ready, std::unique_ptr<detail::future::Callback> callback) noexcept {
    const std::lock_guard guard{ready.mutex};
    if (ready.callbacks.empty()) { ready.event.raise(); }
    ready.callbacks.push(std::move(callback));
}

PROCPOOL_DECL std::size_t CompletionQueue::run_ready() {
    std::unique_lock lock{ready_->mutex};
    const std::size_t count = ready_->callbacks.size();
    std::size_t called = 0;
    while (called < count) {
        std::unique_ptr<detail::future::Callback> first = ready_->callbacks.pop();
        if (ready_->callbacks.empty()) { ready_->event.lower(); }
        if (!first) { break; }
        lock.unlock();
        ++called;
        first->run();
        first.reset();  // what it holds may call this queue when it goes
        lock.lock();
    }
    return called;
}

}  // namespace procpool
