// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The program heap: shared memory reserved before the first pool forks, at one address in all processes of the
/// program.

#include <procpool/core/config.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/per_process.hpp>

#include <cstddef>

namespace procpool::inline v0::detail::shm {

/// Blocks in one mapping; belongs to the process that made it. Which of them are taken is noted in that process's own
/// memory, and no two touch, so a task that writes beyond a block harms no other. In a child forked later the heap's
/// contents can be read and written, but frees are ignored there, and the child allocates from a heap of its own.
class Heap : public os::OfOneProcess {
public:
    /// Returns: the heap of this process, made at the first call. Throws: SharedMemoryExhausted, std::system_error.
    [[nodiscard]] static Heap& of_this_process();

    Heap(const Heap&) = delete;
    Heap& operator=(const Heap&) = delete;
    ~Heap();

    /// Returns: zeroed memory, aligned to cache lines, or more where `alignment` says so, up to most_alignment. Throws:
    /// SharedMemoryExhausted, std::bad_alloc. Called by: any thread of the owner.
    [[nodiscard]] void* allocate(std::size_t size, std::size_t alignment = cache_line);
    static constexpr std::size_t most_alignment = os::page_size;

    /// Returns: memory that reads as zero and of which only those pages are there that have been used: the user makes
    /// others usable by os::commit(). Throws: as allocate(). Called by: any thread of the owner.
    [[nodiscard]] void* reserve(std::size_t size);

    /// Requires: `memory` came from allocate(), or from reserve(), with the same numbers. Does nothing in a process
    /// that is not the owner.
    void deallocate(void* memory, std::size_t size, std::size_t alignment = cache_line) noexcept;

    /// As deallocate(), but keeps the memory as it is until so many blocks more, or that many bytes, have been retired:
    /// processes that slept on a word there still look at it when they wake.
    void retire(void* memory, std::size_t size, std::size_t alignment) noexcept;
    static constexpr std::size_t kept_retired = 64;
    static constexpr std::size_t most_retired_bytes = std::size_t{16} << 20;

    [[nodiscard]] bool holds(const void* address) const noexcept;

    /// Returns: the first bytes of the oldest heap of this process and its ancestors, which all processes have that
    /// share memory with them: zeroed memory that no block has, whose pages are absent until they are used; null while
    /// there is no heap. Called by: any thread.
    [[nodiscard]] static std::byte* family_root() noexcept;
    static constexpr std::size_t root_bytes = std::size_t{512} << 10;

    /// Bytes not allocated now; those of retired blocks count.
    [[nodiscard]] std::size_t free_bytes();

    /// Freed small blocks keep their memory for the next ones up to about this much, since fresh pages cost ten times
    /// as much as used ones.
    static constexpr std::size_t keep_warm = std::size_t{64} << 20;

private:
    friend const Heap* heap_of(const void* address) noexcept;

    class Blocks;
    Heap();

    Blocks* const blocks_;
    const Heap* inherited_ = heaps_.newest();

    /// The newest heap of this process or an ancestor; the others follow by inherited_. The kernel takes their memory
    /// with the last process.
    static inline constinit os::PerProcess<Heap> heaps_{};
};

/// Returns: the heap of this process or of an ancestor in which `address` lies, or null. Called by: any thread.
[[nodiscard]] const Heap* heap_of(const void* address) noexcept;

/// Whether children forked from now on have the same memory at `address`.
[[nodiscard]] inline bool is_shared_with_children(const void* address) noexcept { return heap_of(address) != nullptr; }

/// Whether the process this one was forked from has the same memory at `address`.
[[nodiscard]] inline bool is_shared_with_parent(const void* address) noexcept {
    const Heap* const heap = heap_of(address);
    return heap != nullptr && !heap->is_mine();
}

}  // namespace procpool::detail::shm

#if PROCPOOL_BODIES
#include <procpool/shm/heap.ipp>
#endif
