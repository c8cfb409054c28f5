// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/pipe_end.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/shm/heap.hpp>

#include <new>

namespace procpool::inline v0::detail::channel {

struct Pipe {
    explicit Pipe(const QueueOptions& options, sync::Stamp maker)
        : binders{Binder{maker}, Binder{maker}},
          to{ByteQueue{options, "Connection", false, {&binders[1], &binders[0]}},
             ByteQueue{options, "Connection", false, {&binders[0], &binders[1]}}} {}

    Binder binders[2];
    ByteQueue to[2];                         // the messages for each side
    std::atomic<unsigned> ends{2};           // that exist
    std::atomic<std::int32_t> closers[2]{};  // the process that closed each; 0: none
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

PROCPOOL_DECL void PipeEnd::give(std::int32_t pid, std::uint64_t start, bool only_own) noexcept {
    pipe_->binders[side_].give(pid, start, only_own);
}

PROCPOOL_DECL void PipeEnd::close() noexcept {
    std::int32_t none = 0;
    // release: before the queues say that they are closed, to those that ask why.
    pipe_->closers[side_].compare_exchange_strong(none, os::process_number(), std::memory_order_release,
                                                  std::memory_order_relaxed);
    pipe_->to[1 - side_].close();
    pipe_->to[side_].close();
}

PROCPOOL_DECL bool PipeEnd::send(std::span<const std::byte> message, Deadline deadline) {
    use();
    const Result result = pipe_->to[1 - side_].put(message, deadline);
    if (result == Result::closed || result == Result::deserted) {
        throw BrokenPipe{"procpool: nobody will receive: " + reason()};
    }
    return result == Result::done;
}

PROCPOOL_DECL bool PipeEnd::receive(ByteQueue::Room room, Deadline deadline) {
    use();
    const Result result = pipe_->to[side_].get(room, deadline);
    if (result == Result::closed || result == Result::deserted) {
        throw EndOfFile{"procpool: end of file: " + reason()};
    }
    return result == Result::done;
}

PROCPOOL_DECL bool PipeEnd::poll(Deadline deadline) const {
    use();
    return pipe_->to[side_].wait_for_item(deadline) != Result::late;
}

PROCPOOL_DECL bool PipeEnd::is_ready() const { return pipe_->to[side_].is_ready(); }

PROCPOOL_DECL bool PipeEnd::watch(std::vector<os::FutexLook>& words) const { return pipe_->to[side_].watch(words); }

PROCPOOL_DECL bool PipeEnd::peer_is_given() const noexcept { return pipe_->binders[1 - side_].look().is_given(); }

[[gnu::cold]] PROCPOOL_DECL std::string PipeEnd::reason() const {
    for (const unsigned side : {side_, 1 - side_}) {
        const std::int32_t closer = pipe_->closers[side].load(std::memory_order_acquire);
        if (closer == 0) { continue; }
        return (side == side_ ? "this end of the pipe was closed by " : "the other end of the pipe was closed by ") +
               (closer == os::process_number() ? "this process" : "process " + std::to_string(closer));
    }
    const std::int32_t owner = pipe_->binders[1 - side_].look().pid();
    if (owner == os::process_number()) { return "the thread that the other end of the pipe belonged to has ended"; }
    return (owner == 0 ? "the process" : "process " + std::to_string(owner)) +
           ", which the other end of the pipe belonged to, has ended";
}

PROCPOOL_DECL codec::VisibilityOf PipeEnd::visibility() const noexcept { return pipe_->to[side_].visibility(); }

}  // namespace procpool::detail::channel
