// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The program heap: shared memory reserved before the first pool forks, at one address in all processes of the
/// program.

#include <procpool/core/error.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/per_process.hpp>
#include <procpool/shm/space.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

namespace procpool::inline v0::detail::shm {

/// Blocks in one mapping; belongs to the process that made it. Which of them are taken is noted in that process's own
/// memory, and no two touch, so a task that writes beyond a block harms nobody. In a child forked later the heap's
/// contents can be read and written, but frees are ignored there, and what the child allocates comes from a heap of the
/// child's own.
class Heap : public os::OfOneProcess {
public:
    /// Returns: the heap of this process, made at the first call. Throws: SharedMemoryExhausted, std::system_error.
    [[nodiscard]] static Heap& of_this_process();

    /// Returns: zeroed memory, aligned to cache lines. Throws: SharedMemoryExhausted, std::bad_alloc. Called by: any
    /// thread of the owner.
    [[nodiscard, gnu::noinline]] void* allocate(std::size_t size) {
        if (size > mapping_.size()) { throw SharedMemoryExhausted{size}; }  // also what would wrap when rounded up
        size = round_up(size == 0 ? 1 : size, cache_line);
        const bool large = size >= os::checked_commit;
        std::byte* memory = nullptr;
        {
            const std::lock_guard guard{mutex_};
            const std::optional<std::size_t> offset = space_.take(size + gap_behind(size));
            if (!offset) { throw SharedMemoryExhausted{size}; }
            memory = mapping_.data() + *offset;
            try {
                if (!large) { charge(*offset, size); }
                pages_.add(*offset, size);
            } catch (...) {
                space_.release(*offset);
                throw;
            }
        }
        if (!large) {
            std::memset(memory, 0, size);
            return memory;
        }
        try {
            commit_large(memory, size);
        } catch (...) {
            free_large(memory, size);
            throw;
        }
        return memory;
    }

    /// Requires: `memory` came from allocate() with the same size. Does nothing in a process that is not the owner.
    [[gnu::noinline]] void deallocate(void* memory, std::size_t size) noexcept {
        if (!is_mine()) { return; }
        size = round_up(size == 0 ? 1 : size, cache_line);
        if (size >= os::checked_commit) {
            free_large(static_cast<std::byte*>(memory), size);
            return;
        }
        const std::lock_guard guard{mutex_};
        space_.release(offset_of(static_cast<std::byte*>(memory)));
        freed_ += size;
        if (freed_ < keep_warm) { return; }
        freed_ = 0;
        if (free_warm_bytes() > keep_warm) { static_cast<void>(shed()); }
    }

    [[nodiscard]] bool holds(const void* address) const noexcept {
        const auto* const byte = static_cast<const std::byte*>(address);
        return byte >= mapping_.data() && byte < mapping_.data() + mapping_.size();
    }

    /// Bytes not allocated now.
    [[nodiscard]] std::size_t free_bytes() {
        const std::lock_guard guard{mutex_};
        return space_.free_bytes();
    }

    /// Freed small blocks keep their memory for the next ones up to about this much, since fresh pages cost ten times
    /// as much as used ones.
    static constexpr std::size_t keep_warm = std::size_t{64} << 20;

private:
    friend const Heap* heap_of(const void* address) noexcept;

    /// Which pages of the mapping may be there, as far as this process knows.
    class Pages {
    public:
        /// Effects: those that [offset, offset + size) touches are there. Throws: std::bad_alloc.
        void add(std::size_t offset, std::size_t size) {
            words_.resize(std::max(words_.size(), (offset + size) / os::page_size / 64 + 1));
            each_word(touched(offset, size), [&](std::size_t word, std::uint64_t bits) { words_[word] |= bits; });
        }
        /// Effects: those that lie within [offset, offset + size) are not there.
        void remove(std::size_t offset, std::size_t size) noexcept {
            each_word(within(offset, size), [&](std::size_t word, std::uint64_t bits) { words_[word] &= ~bits; });
        }
        /// Returns: how many bytes of the pages that the range touches are there.
        [[nodiscard]] std::size_t bytes_touched(std::size_t offset, std::size_t size) const noexcept {
            return count(touched(offset, size));
        }
        /// As above, of the pages that lie within the range.
        [[nodiscard]] std::size_t bytes_within(std::size_t offset, std::size_t size) const noexcept {
            return count(within(offset, size));
        }

    private:
        struct Range {
            std::size_t begin;
            std::size_t end;
        };
        [[nodiscard]] static Range touched(std::size_t offset, std::size_t size) noexcept {
            return {offset / os::page_size, round_up(offset + size, os::page_size) / os::page_size};
        }
        [[nodiscard]] static Range within(std::size_t offset, std::size_t size) noexcept {
            return {round_up(offset, os::page_size) / os::page_size, (offset + size) / os::page_size};
        }
        [[nodiscard]] std::size_t count(Range range) const noexcept {
            std::size_t pages = 0;
            each_word(range, [&](std::size_t word, std::uint64_t bits) {
                pages += static_cast<std::size_t>(std::popcount(words_[word] & bits));
            });
            return pages * os::page_size;
        }
        template <class F>
        void each_word(Range range, F f) const {
            const std::size_t end = std::min(range.end, words_.size() * 64);
            for (std::size_t page = range.begin; page < end;) {
                const std::size_t count = std::min(end - page, 64 - page % 64);
                f(page / 64, (~std::uint64_t{0} >> (64 - count)) << (page % 64));
                page += count;
            }
        }
        std::vector<std::uint64_t> words_;  // as many as there have been pages in use
    };

    Heap()
        : mapping_(os::Mapping::reserve(os::generous_reservation(), os::least_reservation)),
          space_(mapping_.size()) {}

    /// Behind a large block lies a page that belongs to nobody, so that a loop which runs a little too far meets no
    /// other block. It is not protected: the workers that there are would not see that, and those forked while it is
    /// would see it when it is part of a block.
    [[nodiscard]] static std::size_t gap_behind(std::size_t size) noexcept {
        constexpr std::size_t large = std::size_t{64} << 10;
        return size < large ? cache_line : os::page_size;
    }
    [[nodiscard]] std::size_t offset_of(const std::byte* memory) const noexcept {
        return static_cast<std::size_t>(memory - mapping_.data());
    }

    /// Effects: what of a small block is not there yet may be touched. Throws: SharedMemoryExhausted. Requires: mutex_
    /// is held.
    void charge(std::size_t offset, std::size_t size) {
        const std::size_t fresh = round_up(offset + size, os::page_size) - offset / os::page_size * os::page_size -
                                  pages_.bytes_touched(offset, size);
        if (fresh == 0) { return; }
        try {
            os::own_budget.charge(fresh);
        } catch (const SharedMemoryExhausted&) {
            if (!shed()) { throw; }
            os::own_budget.charge(fresh);
        }
    }

    /// Effects: the memory is there, and zero. Throws: SharedMemoryExhausted.
    void commit_large(std::byte* memory, std::size_t size) {
        clear(memory, size);
        try {
            os::commit(memory, size);
        } catch (const SharedMemoryExhausted&) {
            {
                const std::lock_guard guard{mutex_};
                if (!shed()) { throw; }
            }
            os::commit(memory, size);
        }
    }

    void free_large(std::byte* memory, std::size_t size) noexcept {
        const bool gone = os::give_back(memory, size);
        const std::lock_guard guard{mutex_};
        if (gone) { pages_.remove(offset_of(memory), size); }
        space_.release(offset_of(memory));
    }

    /// Requires: mutex_ is held.
    [[nodiscard]] std::size_t free_warm_bytes() const noexcept {
        std::size_t warm = 0;
        space_.for_each_free([&](std::size_t offset, std::size_t size) { warm += pages_.bytes_within(offset, size); });
        return warm;
    }
    /// Effects: the memory of free blocks is given back. Returns: whether there was any. Requires: mutex_ is held.
    bool shed() noexcept {
        bool any = false;
        space_.for_each_free([&](std::size_t offset, std::size_t size) {
            if (pages_.bytes_within(offset, size) == 0 || !os::give_back(mapping_.data() + offset, size)) { return; }
            pages_.remove(offset, size);
            any = true;
        });
        return any;
    }

    /// Whole pages are dropped, so that they read as zero; the rest is overwritten.
    static void clear(std::byte* memory, std::size_t size) noexcept {
        if (!os::give_back(memory, size)) {
            std::memset(memory, 0, size);
            return;
        }
        const std::size_t head = round_up(reinterpret_cast<std::uintptr_t>(memory), os::page_size) -
                                 reinterpret_cast<std::uintptr_t>(memory);
        const std::size_t tail = (reinterpret_cast<std::uintptr_t>(memory) + size) % os::page_size;
        std::memset(memory, 0, head);
        std::memset(memory + size - tail, 0, tail);
    }

    os::Mapping mapping_;
    std::mutex mutex_;  // of the owner's threads only: no other process allocates here; guards what follows
    Space space_;
    Pages pages_;
    std::size_t freed_ = 0;  // since the last look at what is warm
    const Heap* inherited_ = heaps_.newest();

    /// The newest heap of this process or an ancestor; the others follow by inherited_. The kernel takes their memory
    /// with the last process.
    static inline constinit os::PerProcess<Heap> heaps_{};
};

inline Heap& Heap::of_this_process() {
    return heaps_.get([] { return new Heap; });
}

/// Returns: the heap of this process or of an ancestor in which `address` lies, or null. Called by: any thread.
[[nodiscard]] inline const Heap* heap_of(const void* address) noexcept {
    for (const Heap* heap = Heap::heaps_.newest(); heap != nullptr; heap = heap->inherited_) {
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

}  // namespace procpool::detail::shm
