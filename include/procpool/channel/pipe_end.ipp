// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/pipe_end.hpp>
#include <procpool/core/error.hpp>
#include <procpool/shm/heap.hpp>

#include <new>

namespace procpool::inline v0::detail::channel {

struct Pipe {
    struct alignas(apart) Side {
        explicit Side(sync::Stamp maker) noexcept : binder(maker | not_bound) {}
        std::atomic<sync::Stamp> binder;
    };

    explicit Pipe(const QueueOptions& options, sync::Stamp maker)
        : sides{Side{maker}, Side{maker}},
          to{ByteQueue{options, "Connection", false, {&sides[1].binder, &sides[0].binder}},
             ByteQueue{options, "Connection", false, {&sides[0].binder, &sides[1].binder}}} {}

    Side sides[2];
    ByteQueue to[2];                // the messages for each side
    std::atomic<unsigned> ends{2};  // that exist
};

PROCPOOL_DECL std::pair<PipeEnd, PipeEnd> PipeEnd::make_pipe(const QueueOptions& options) {
    const sync::Stamp maker = sync::Members::own();
    shm::Heap& heap = shm::Heap::of_this_process();
    void* const memory = heap.allocate(sizeof(Pipe), alignof(Pipe));
    try {
        auto* const pipe = ::new (memory) Pipe{options, maker};
        return {PipeEnd{pipe, 0}, PipeEnd{pipe, 1}};
    } catch (...) {
        heap.deallocate(memory, sizeof(Pipe), alignof(Pipe));
        throw;
    }
}

PROCPOOL_DECL PipeEnd::~PipeEnd() {
    if (pipe_ == nullptr) { return; }
    close();
    if (pipe_->ends.fetch_sub(1, std::memory_order_acq_rel) != 1) { return; }
    pipe_->~Pipe();
    shm::Heap::of_this_process().retire(pipe_, sizeof(Pipe), alignof(Pipe));
}

PROCPOOL_DECL void PipeEnd::use() const {
    std::atomic<sync::Stamp>& binder = pipe_->sides[side_].binder;
    sync::Stamp seen = binder.load(std::memory_order_relaxed);
    const sync::Stamp own = sync::Members::own();
    if (seen == own) [[likely]] { return; }
    // Of several that use it first, one binds it.
    if ((seen & not_bound) != 0 || !sync::Members::is_alive(seen)) {
        binder.compare_exchange_strong(seen, own, std::memory_order_acq_rel, std::memory_order_relaxed);
    }
}

PROCPOOL_DECL void PipeEnd::bind() {
    pipe_->sides[side_].binder.store(sync::Members::own(), std::memory_order_release);
}

PROCPOOL_DECL void PipeEnd::close() noexcept {
    pipe_->to[1 - side_].close();
    pipe_->to[side_].close();
}

PROCPOOL_DECL bool PipeEnd::send(std::span<const std::byte> message, Deadline deadline) {
    use();
    const Result result = pipe_->to[1 - side_].put(message, deadline);
    if (result == Result::closed || result == Result::deserted) { throw BrokenPipe{}; }
    return result == Result::done;
}

PROCPOOL_DECL bool PipeEnd::receive(ByteQueue::Room room, Deadline deadline) {
    use();
    const Result result = pipe_->to[side_].get(room, deadline);
    if (result == Result::closed || result == Result::deserted) { throw EndOfFile{}; }
    return result == Result::done;
}

PROCPOOL_DECL bool PipeEnd::poll(Deadline deadline) const {
    use();
    return pipe_->to[side_].wait_for_item(deadline) != Result::late;
}

PROCPOOL_DECL codec::VisibilityOf PipeEnd::visibility() const noexcept { return pipe_->to[side_].visibility(); }

}  // namespace procpool::detail::channel
