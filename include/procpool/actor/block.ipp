// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/block.hpp>
#include <procpool/shm/heap.hpp>

namespace procpool::inline v0::detail::actor {

PROCPOOL_DECL Blocks& Blocks::of_this_process() {
    return blocks_.get([] { return new Blocks; });
}

PROCPOOL_DECL Block& Blocks::take() {
    const std::lock_guard guard{mutex_};
    if (free_.empty()) {
        free_.reserve(made_ + 1);
        free_.push_back(static_cast<Block*>(shm::Heap::of_this_process().allocate(sizeof(Block), alignof(Block))));
        free_.back()->maker = os::process_token();
        ++made_;
    }
    Block& block = *free_.back();
    free_.pop_back();
    block.board.store(nullptr, std::memory_order_release);  // a reader of it finds that the last number was given back
    block.constructed.store(0, std::memory_order_relaxed);
    block.number.fetch_add(1, std::memory_order_release);
    return block;
}

PROCPOOL_DECL void Blocks::give_back(Block& block) noexcept {
    const std::lock_guard guard{mutex_};
    block.number.fetch_add(1, std::memory_order_release);
    free_.push_back(&block);
}

}  // namespace procpool::detail::actor
