// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SharedArray: an array in memory that all processes of the program share.

#include <procpool/core/error.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/shm/shareable.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// An array in shared memory, at the same address in every process; a std::ranges::contiguous_range. A task gets it as
/// std::span<T>, and nothing is copied. Lifetime: must outlive the tasks that use it. Made before or after the pool, in
/// the process that builds the pool.
template <class T>
class SharedArray {
    static_assert(
        std::is_trivially_copyable_v<T>,
        "procpool: a SharedArray holds trivially copyable elements, since no process runs constructors for another: "
        "share the characters of strings and the elements of containers, or give them to the task as arguments");
    static_assert(!std::is_trivially_copyable_v<T> || Shareable<T>,
                  "procpool: a SharedArray holds elements that mean the same to every process: "
                  "neither locks of the standard library nor atomics that are not lock-free");
    static_assert(alignof(T) <= detail::cache_line, "procpool: a SharedArray aligns to cache lines at most");

public:
    using value_type = T;  ///< the type of the elements
    using iterator = T*;   ///< as of other containers

    /// Makes n elements whose bytes are all zero. Throws: SharedMemoryExhausted.
    explicit SharedArray(std::size_t n) : size_(n) {
        if (n > SIZE_MAX / 2 / sizeof(T)) { throw SharedMemoryExhausted{SIZE_MAX}; }
        heap_ = &detail::shm::Heap::of_this_process();
        elements_ = static_cast<T*>(heap_->allocate(n * sizeof(T)));
    }
    PROCPOOL_UNCOPIED(SharedArray, a_SharedArray_is_not_copied__capture_its_span_or_pass_it_as_an_argument,
                      "procpool: a SharedArray is not copied: let a closure capture its span(), or pass the array as "
                      "an argument, which arrives as a std::span")
    /// \{
    /// Takes the elements over; they keep their addresses. Assignment gives the other array the elements that were
    /// here.
    SharedArray(SharedArray&& other) noexcept
        : heap_(other.heap_),
          elements_(std::exchange(other.elements_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    SharedArray& operator=(SharedArray&& other) noexcept {
        std::swap(heap_, other.heap_);
        std::swap(elements_, other.elements_);
        std::swap(size_, other.size_);
        return *this;
    }
    /// \}
    /// Gives the memory back, but in a forked child that inherited the array.
    ~SharedArray() {
        if (elements_ != nullptr) { heap_->deallocate(elements_, size_ * sizeof(T)); }
    }

    /// \{
    /// As of a std::span of the elements, whose addresses are the same in every process. A closure may capture span().
    /// A moved-from array is empty.
    [[nodiscard]] std::span<T> span() const noexcept { return {elements_, size_}; }
    [[nodiscard]] T* data() const noexcept { return elements_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] T& operator[](std::size_t i) const noexcept { return elements_[i]; }
    [[nodiscard]] T* begin() const noexcept { return elements_; }
    [[nodiscard]] T* end() const noexcept { return elements_ + size_; }
    /// \}

private:
    detail::shm::Heap* heap_ = nullptr;
    T* elements_ = nullptr;
    std::size_t size_;
};

}  // namespace procpool
