// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/error.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/shm/pages.hpp>
#include <procpool/shm/space.hpp>

#include <array>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

namespace procpool::inline v0::detail::shm {

/// A heap's mapping, and the owner's notes of it.
class Heap::Blocks {
public:
    [[nodiscard]] void* allocate(std::size_t size) {
        if (size > mapping_.size()) {
            throw SharedMemoryExhausted{size};
        }  // also a size that would wrap when rounded up
        size = rounded(size);
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

    [[nodiscard]] void* allocate(std::size_t size, std::size_t alignment) {
        if (alignment <= cache_line) { return allocate(size); }
        auto* const block = static_cast<std::byte*>(allocate(size + alignment));
        return mapping_.data() + round_up(offset_of(block), alignment);
    }

    [[nodiscard]] void* reserve(std::size_t size) {
        if (size > mapping_.size()) { throw SharedMemoryExhausted{size}; }
        size = rounded(size);
        std::byte* memory = nullptr;
        {
            const std::lock_guard guard{mutex_};
            const std::optional<std::size_t> offset = space_.take(size + gap_behind(size));
            if (!offset) { throw SharedMemoryExhausted{size}; }
            memory = mapping_.data() + *offset;
            try {
                pages_.add(*offset, size);
            } catch (...) {
                space_.release(*offset);
                throw;
            }
        }
        clear(memory, size);
        return memory;
    }

    void deallocate(void* memory, std::size_t size, std::size_t alignment) noexcept {
        if (alignment <= cache_line) {
            deallocate(memory, size);
            return;
        }
        std::size_t start = 0;
        {
            const std::lock_guard guard{mutex_};
            start = space_.start_of(offset_of(static_cast<std::byte*>(memory)));
        }
        deallocate(mapping_.data() + start, size + alignment);
    }

    void deallocate(void* memory, std::size_t size) noexcept {
        size = rounded(size);
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

    [[nodiscard]] std::byte* root() const noexcept { return mapping_.data(); }

    [[nodiscard]] bool hold(const void* address) const noexcept {
        const auto* const byte = static_cast<const std::byte*>(address);
        return byte >= mapping_.data() && byte < mapping_.data() + mapping_.size();
    }

    void retire(void* memory, std::size_t size, std::size_t alignment) noexcept {
        const Retired block{memory, size, alignment};
        for (bool kept = false; !kept;) {
            Retired oldest{};
            {
                const std::lock_guard guard{mutex_};
                kept = retired_count_ < retired_.size() && retired_bytes_ + taken_by(block) <= most_retired_bytes;
                if (kept) {
                    retired_[(first_retired_ + retired_count_++) % retired_.size()] = block;
                    retired_bytes_ += taken_by(block);
                } else if (retired_count_ == 0) {
                    oldest = block;
                    kept = true;
                } else {
                    oldest = retired_[first_retired_];
                    first_retired_ = (first_retired_ + 1) % retired_.size();
                    --retired_count_;
                    retired_bytes_ -= taken_by(oldest);
                }
            }
            if (oldest.memory != nullptr) { deallocate(oldest.memory, oldest.size, oldest.alignment); }
        }
    }

    [[nodiscard]] std::size_t free_bytes() {
        const std::lock_guard guard{mutex_};
        return space_.free_bytes() + retired_bytes_;
    }

private:
    [[nodiscard]] static std::size_t rounded(std::size_t size) noexcept {
        return round_up(size == 0 ? 1 : size, cache_line);
    }
    /// Behind a large block lies a page that belongs to no block, so that a loop which runs a little too far meets no
    /// other one. The page is not protected: existing workers would not see that, and workers forked while it is
    /// protected would still see it when the page is part of a block.
    [[nodiscard]] static std::size_t gap_behind(std::size_t size) noexcept {
        constexpr std::size_t large = std::size_t{64} << 10;
        return size < large ? cache_line : os::page_size;
    }
    [[nodiscard]] std::size_t offset_of(const std::byte* memory) const noexcept {
        return static_cast<std::size_t>(memory - mapping_.data());
    }

    /// Effects: makes the absent pages of a small block usable. Throws: SharedMemoryExhausted.
    /// Requires: mutex_ is held.
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

    /// Effects: makes the memory present and zero. Throws: SharedMemoryExhausted.
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
    /// Effects: gives the memory of free blocks back. Returns: whether there was any. Requires: mutex_ is held.
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

    os::Mapping mapping_ = os::Mapping::reserve(os::generous_reservation(), os::least_reservation);
    std::mutex mutex_;  // of the owner's threads only: no other process allocates here; guards what follows
    Space space_{mapping_.size()};
    const std::optional<std::size_t> root_ = space_.take(root_bytes);  // at 0, since nothing is taken yet
    Pages pages_;
    std::size_t freed_ = 0;  // since the last look at the warm bytes

    struct Retired {
        void* memory = nullptr;
        std::size_t size = 0;
        std::size_t alignment = 0;
    };
    [[nodiscard]] static std::size_t taken_by(const Retired& block) noexcept {
        const std::size_t size = rounded(block.alignment > cache_line ? block.size + block.alignment : block.size);
        return size + gap_behind(size);
    }

    std::array<Retired, kept_retired> retired_;  // a ring
    std::size_t first_retired_ = 0;
    std::size_t retired_count_ = 0;
    std::size_t retired_bytes_ = 0;
};

PROCPOOL_DECL Heap::Heap() : blocks_(new Blocks) {}
PROCPOOL_DECL Heap::~Heap() { delete blocks_; }

PROCPOOL_DECL Heap& Heap::of_this_process() {
    return heaps_.get([] { return new Heap; });
}

[[gnu::noinline]] PROCPOOL_DECL void* Heap::allocate(std::size_t size, std::size_t alignment) {
    return blocks_->allocate(size, alignment);
}

PROCPOOL_DECL void* Heap::reserve(std::size_t size) { return blocks_->reserve(size); }

[[gnu::noinline]] PROCPOOL_DECL void Heap::deallocate(void* memory, std::size_t size, std::size_t alignment) noexcept {
    if (is_mine()) { blocks_->deallocate(memory, size, alignment); }
}

[[gnu::noinline]] PROCPOOL_DECL void Heap::retire(void* memory, std::size_t size, std::size_t alignment) noexcept {
    if (is_mine()) { blocks_->retire(memory, size, alignment); }
}

PROCPOOL_DECL bool Heap::holds(const void* address) const noexcept { return blocks_->hold(address); }

PROCPOOL_DECL std::byte* Heap::family_root() noexcept {
    const Heap* oldest = heaps_.newest();
    while (oldest != nullptr && oldest->inherited_ != nullptr) { oldest = oldest->inherited_; }
    return oldest == nullptr ? nullptr : oldest->blocks_->root();
}

PROCPOOL_DECL std::size_t Heap::free_bytes() { return blocks_->free_bytes(); }

PROCPOOL_DECL const Heap* heap_of(const void* address) noexcept {
    for (const Heap* heap = Heap::heaps_.newest(); heap != nullptr; heap = heap->inherited_) {
        if (heap->holds(address)) { return heap; }
    }
    return nullptr;
}

}  // namespace procpool::detail::shm
