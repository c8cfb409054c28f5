// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/pipe_end.hpp>
#include <procpool/core/error.hpp>
#include <procpool/shm/heap.hpp>

#include <new>

namespace procpool::inline v0::detail::channel {

struct Pipe {
    explicit Pipe(const QueueOptions& options, sync::Stamp maker)
        : binders{Binder{maker}, Binder{maker}},
          to{ByteQueue{options, "Connection", false, {&binders[1], &binders[0]}},
             ByteQueue{options, "Connection", false, {&binders[0], &binders[1]}}} {}

    Binder binders[2];
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

PROCPOOL_DECL void PipeEnd::use() const { pipe_->binders[side_].use(); }

PROCPOOL_DECL void PipeEnd::bind() { pipe_->binders[side_].bind(); }

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
