// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// HeapBoards: memory for boards in the program heap, which processes have that were forked before the pool was built.

#include <procpool/core/config.hpp>
#include <procpool/os/per_process.hpp>

#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::client {

/// The regions of this process. They are used as boards again and again, and nothing else: a guest of another process
/// may come late, and finds a board that is not the one it looks for. Called by: any thread.
class HeapBoards : public os::OfOneProcess {
public:
    /// Throws: SharedMemoryExhausted.
    [[nodiscard]] static HeapBoards& of_this_process();

    /// Returns: zeroed memory. Throws: SharedMemoryExhausted, std::bad_alloc.
    [[nodiscard]] std::span<std::byte> take();
    /// Effects: the memory may be used again once no guest has a result there that it has not read. Requires: it holds
    /// a board, whose pool has ended.
    void give_back(std::span<std::byte> region) noexcept;

private:
    /// So many boards that have ended stay as they are, for guests that are in the middle of something.
    static constexpr std::size_t kept = 8;

    /// Returns: one that no guest uses; an empty one when there is none. Requires: mutex_ is held.
    [[nodiscard]] std::span<std::byte> take_ended();

    std::mutex mutex_;
    std::vector<std::span<std::byte>> ended_;  // the oldest first
    std::size_t made_ = 0;
};

/// The memory of one board, if it lies in the program heap.
class HeapRegion {
public:
    /// from: null for none.
    explicit HeapRegion(HeapBoards* from) : memory_(from != nullptr ? from->take() : std::span<std::byte>{}) {}
    HeapRegion(const HeapRegion&) = delete;
    HeapRegion& operator=(const HeapRegion&) = delete;
    ~HeapRegion() {
        if (!memory_.empty()) { HeapBoards::of_this_process().give_back(memory_); }
    }
    [[nodiscard]] std::span<std::byte> memory() const noexcept { return memory_; }

private:
    std::span<std::byte> memory_;
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/heap_boards.ipp>
#endif
