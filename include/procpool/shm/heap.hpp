// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The program heap: shared memory reserved before the first pool forks, at one address in all processes of the program.

#include <procpool/core/error.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/memory.hpp>

#include <atomic>
#include <boost/interprocess/exceptions.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <utility>

namespace procpool::shm {

/// A Boost.Interprocess segment over one mapping; belongs to the process that made it. In a child forked later its contents can be
/// read and written, but frees are ignored there, and what the child allocates comes from a heap of the child's own.
class Heap {
public:
    /// Returns: the heap of this process, made at the first call. Throws: SharedMemoryExhausted, std::system_error.
    [[nodiscard]] static Heap& of_this_process();

    /// Returns: zeroed memory, aligned to cache lines. Throws: SharedMemoryExhausted. Called by: any thread of the owner.
    [[nodiscard]] void* allocate(std::size_t size) {
        if (size > mapping_.size()) { throw SharedMemoryExhausted{size}; }  // also what would wrap when rounded up
        size = round_up(size == 0 ? 1 : size, cache_line);
        const std::lock_guard guard{mutex_};
        auto* const memory = static_cast<std::byte*>(segment_.allocate_aligned(size, cache_line, std::nothrow));
        if (memory == nullptr) { throw SharedMemoryExhausted{size}; }
        try {
            if (size < os::checked_commit) {
                std::memset(memory, 0, size);
            } else {
                clear(memory, size);
                os::commit(memory, size);
            }
        } catch (...) {
            segment_.deallocate(memory);
            throw;
        }
        return memory;
    }

    /// Requires: `memory` came from allocate() with the same size. Does nothing in a process that is not the owner.
    void deallocate(void* memory, std::size_t size) noexcept {
        if (!is_mine()) { return; }
        const std::lock_guard guard{mutex_};
        if (size >= os::checked_commit) { os::give_back(static_cast<std::byte*>(memory), size); }
        segment_.deallocate(memory);
    }

    /// Whether this is the process that made the heap.
    [[nodiscard]] bool is_mine() const noexcept { return os::is_process(owner_); }

    [[nodiscard]] bool holds(const void* address) const noexcept {
        const auto* const byte = static_cast<const std::byte*>(address);
        return byte >= mapping_.data() && byte < mapping_.data() + mapping_.size();
    }

    /// Bytes not allocated now.
    [[nodiscard]] std::size_t free_bytes() {
        const std::lock_guard guard{mutex_};
        return segment_.get_free_memory();
    }

private:
    friend const Heap* heap_of(const void* address) noexcept;

    Heap()
        : mapping_(os::Mapping::reserve(os::generous_reservation(), os::least_reservation)),
          segment_(boost::interprocess::create_only, mapping_.data(), mapping_.size()),
          owner_(os::process_token()) {}

    /// Whole pages are dropped, so that they read as zero; the rest is overwritten.
    static void clear(std::byte* memory, std::size_t size) noexcept {
        if (!os::give_back(memory, size)) {
            std::memset(memory, 0, size);
            return;
        }
        const std::size_t head = round_up(reinterpret_cast<std::uintptr_t>(memory), os::page_size) - reinterpret_cast<std::uintptr_t>(memory);
        const std::size_t tail = (reinterpret_cast<std::uintptr_t>(memory) + size) % os::page_size;
        std::memset(memory, 0, head);
        std::memset(memory + size - tail, 0, tail);
    }

    os::Mapping mapping_;
    boost::interprocess::managed_external_buffer segment_;
    std::mutex mutex_;  // of the owner's threads only: no other process allocates here
    os::Token owner_;
    Heap* inherited_ = newest_;

    /// The newest heap of this process or an ancestor; the others follow by inherited_. Heaps are never destroyed: statics of the
    /// program may use them to the end, and the kernel takes the memory with the last process.
    static inline constinit std::atomic<Heap*> newest_{nullptr};
};

inline Heap& Heap::of_this_process() {
    Heap* heap = newest_.load(std::memory_order_acquire);
    while (heap == nullptr || !heap->is_mine()) {
        Heap* const fresh = new Heap;
        // acq_rel: publishes the heap's construction to whoever loads newest_; a loser's heap was never seen by anybody.
        if (newest_.compare_exchange_strong(heap, fresh, std::memory_order_acq_rel, std::memory_order_acquire)) { return *fresh; }
        delete fresh;
    }
    return *heap;
}

/// Returns: the heap of this process or of an ancestor in which `address` lies, or null. Called by: any thread.
[[nodiscard]] inline const Heap* heap_of(const void* address) noexcept {
    for (const Heap* heap = Heap::newest_.load(std::memory_order_acquire); heap != nullptr; heap = heap->inherited_) {
        if (heap->holds(address)) { return heap; }
    }
    return nullptr;
}

/// Whether children forked from now on have the same memory at `address`.
[[nodiscard]] inline bool is_shared_with_children(const void* address) noexcept { return heap_of(address) != nullptr; }

/// Whether the process this one was forked from has the same memory at `address`.
[[nodiscard]] inline bool is_shared_with_parent(const void* address) noexcept {
    const Heap* const heap = heap_of(address);
    return heap != nullptr && !heap->is_mine();
}

}  // namespace procpool::shm
