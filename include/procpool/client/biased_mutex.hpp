// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// BiasedMutex: a mutex that costs next to nothing as long as one thread alone locks it.

#include <procpool/client/thread_mutex.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/platform.hpp>

#include <array>
#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::client {

/// A locked instruction waits until all stores before it are visible, which other processors may hold up for long. So
/// the mutex becomes biased to a thread that has locked it many times in a row: its owner says that it is inside,
/// without a barrier, and looks whether it still has the bias. Any other thread revokes the bias, makes all threads
/// pass a barrier, and waits until the owner is not inside. Not recursive. After D. Dice, H. Huang, M. Yang, Asymmetric
/// Dekker Synchronization (2001), and biased locking in Java's HotSpot.
class BiasedMutex {
public:
    BiasedMutex() noexcept;
    /// Biases after `in_a_row` locks by one thread; for tests.
    explicit BiasedMutex(std::uint32_t in_a_row) noexcept : needed_(in_a_row) {}
    BiasedMutex(const BiasedMutex&) = delete;
    BiasedMutex& operator=(const BiasedMutex&) = delete;

    [[gnu::always_inline]] void lock() noexcept {
        if (!try_lock_as_owner()) { lock_slowly(); }
    }

    /// Returns: whether the caller has locked it, by the bias; false does not mean that another thread has.
    [[nodiscard, gnu::always_inline]] bool try_lock_as_owner() noexcept {
        Bias* const bias = bias_.load(std::memory_order_relaxed);
        if (bias == nullptr || bias->owner.load(std::memory_order_relaxed) != this_thread()) { return false; }
        // acquire: this thread may have the address of one that has ended, and so its bias, and its writes inside come
        // first.
        if (bias->inside.load(std::memory_order_acquire)) { return false; }
        bias->inside.store(true, std::memory_order_relaxed);
        // For the compiler. The processor may look before its store is visible; but a thread that revokes the bias does
        // so before a barrier in this thread, and looks at `inside` after it: either this look finds the bias gone, or
        // that one finds this thread inside.
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (bias_.load(std::memory_order_relaxed) != bias) {
            // release: a thread that waits for it sees the writes of this one inside before.
            bias->inside.store(false, std::memory_order_release);
            return false;
        }
        locked_by_ = bias;
        return true;
    }

    [[gnu::always_inline]] void unlock() noexcept {
        if (Bias* const bias = locked_by_) {
            locked_by_ = nullptr;
            bias->inside.store(false, std::memory_order_release);
        } else {
            mutex_.unlock();
        }
    }

    /// Effects: locks it; it is not biased, now and later.
    void lock_and_end_bias() noexcept;

    /// Whether it is biased to a thread now.
    [[nodiscard]] bool is_biased() const noexcept { return bias_.load(std::memory_order_relaxed) != nullptr; }

private:
    /// Belongs to one thread until the mutex is destroyed: that thread may be about to write `inside` long after it has
    /// lost the bias.
    struct alignas(cache_line) Bias {
        std::atomic<const void*> owner{nullptr};
        alignas(cache_line) std::atomic<bool> inside{false};  // other threads poll the line above
    };
    static constexpr std::uint32_t enough = 1000;  // times in a row; a barrier costs a hundred times what a bias saves
    static constexpr std::uint32_t much = std::uint32_t{1} << 18;
    static constexpr std::uint32_t never = 0xffffffff;

    [[nodiscard]] static const void* this_thread() noexcept {
        static constinit thread_local char mark = 0;
        return &mark;
    }
    void lock_slowly() noexcept;
    [[gnu::cold]] void bias_to_this_thread() noexcept;

    alignas(cache_line) std::atomic<Bias*> bias_{nullptr};  // in force; written by the holder of mutex_
    std::array<Bias, 4> biases_;                            // when all have an owner, no other thread gets one
    Bias* locked_by_ = nullptr;  // null: by mutex_; of the thread that has locked it, as are those below
    ThreadMutex mutex_;
    const void* last_ = nullptr;  // the thread that locked mutex_ last
    std::uint32_t in_a_row_ = 0;
    std::uint32_t needed_ = much;
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/biased_mutex.ipp>
#endif
