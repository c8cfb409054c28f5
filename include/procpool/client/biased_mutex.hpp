// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// BiasedMutex: a mutex that costs next to nothing as long as it is always the same thread that locks it.

#include <procpool/client/thread_mutex.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/os/process_barrier.hpp>
#include <procpool/os/single_threaded.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace procpool::inline v0::detail::client {

/// A locked instruction waits until all stores before it are visible, which other processors may hold up for long. So a
/// thread that has locked the mutex many times in a row has the favour from then on: it says that it is inside, without
/// a barrier, and looks whether it still has the favour. Any other thread takes the favour away, makes all threads pass
/// a barrier, and waits until the favourite is not inside. Not recursive. After D. Dice, H. Huang, M. Yang, Asymmetric
/// Dekker Synchronization (2001), and biased locking in Java's HotSpot.
class BiasedMutex {
public:
    BiasedMutex() noexcept {
        // Not worth the time it takes in a program of several threads until it is clear that one of them will lock it
        // very often.
        if (os::is_single_threaded() && os::ProcessBarrier::prepare()) { needed_ = enough; }
    }
    /// As if that were worth it: who locks it so many times in a row has the favour.
    explicit BiasedMutex(std::uint32_t in_a_row) noexcept : needed_(in_a_row) {}
    BiasedMutex(const BiasedMutex&) = delete;
    BiasedMutex& operator=(const BiasedMutex&) = delete;

    void lock() noexcept {
        if (!try_lock_as_favourite()) { lock_slowly(); }
    }

    /// Returns: whether the caller has locked it; false does not mean that another thread has.
    [[nodiscard, gnu::always_inline]] bool try_lock_as_favourite() noexcept {
        Favour* const favour = favour_.load(std::memory_order_relaxed);
        if (favour == nullptr || favour->thread.load(std::memory_order_relaxed) != this_thread()) { return false; }
        // acquire: this thread may have the address of one that has ended, and so its favour, and what that did inside
        // comes first.
        if (favour->inside.load(std::memory_order_acquire)) { return false; }
        favour->inside.store(true, std::memory_order_relaxed);
        // For the compiler. The processor may look before its store is visible; but whoever takes the favour away does
        // so before a barrier in this thread, and looks at `inside` after it: either this look finds the favour gone,
        // or that one finds this thread inside.
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (favour_.load(std::memory_order_relaxed) != favour) {
            favour->inside.store(
                false, std::memory_order_release);  // who waits for it sees what this thread did inside before
            return false;
        }
        by_favour_ = favour;
        return true;
    }

    void unlock() noexcept {
        if (Favour* const favour = by_favour_) {
            by_favour_ = nullptr;
            favour->inside.store(false, std::memory_order_release);
        } else {
            mutex_.unlock();
        }
    }

    /// Effects: locks it; no thread has the favour, now and later.
    void lock_for_good() noexcept {
        lock_slowly();  // by favour, nobody but the favourite would learn of the end of it
        needed_ = never;
        favour_.store(nullptr, std::memory_order_relaxed);
    }

    /// Whether a thread has the favour now.
    [[nodiscard]] bool is_biased() const noexcept { return favour_.load(std::memory_order_relaxed) != nullptr; }

private:
    /// Belongs to one thread for good, since that may be about to say that it is inside long after it has lost the
    /// favour.
    struct alignas(cache_line) Favour {
        std::atomic<const void*> thread{nullptr};
        alignas(cache_line) std::atomic<bool> inside{false};  // others look at the thread all the time
    };
    static constexpr std::uint32_t enough =
        1000;  // times in a row; a barrier costs a hundred times what the favour spares
    static constexpr std::uint32_t much = std::uint32_t{1} << 18;
    static constexpr std::uint32_t never = 0xffffffff;

    [[nodiscard]] static const void* this_thread() noexcept {
        static constinit thread_local char mark = 0;
        return &mark;
    }

    [[gnu::noinline]] void lock_slowly() noexcept {
        mutex_.lock();
        // The favour is given and taken by who has locked mutex_.
        if (Favour* const favour = favour_.load(std::memory_order_relaxed)) {
            favour_.store(nullptr, std::memory_order_relaxed);
            if (favour->thread.load(std::memory_order_relaxed) != this_thread()) { os::ProcessBarrier::pass(); }
            // acquire: what the favourite did inside comes before what this thread will do.
            for (int look = 0; favour->inside.load(std::memory_order_acquire); ++look) {
                look < os::spin_rounds ? os::yield() : os::nap();
            }
            needed_ = std::min(2 * needed_, much);
            in_a_row_ = 0;
        } else if (last_ != this_thread()) {
            last_ = this_thread();
            in_a_row_ = 0;
        } else if (needed_ != never && ++in_a_row_ == needed_) {
            give_favour();
        }
    }

    [[gnu::noinline, gnu::cold]] void give_favour() noexcept {
        in_a_row_ = 0;
        for (Favour& favour : favours_) {
            const void* const thread = favour.thread.load(std::memory_order_relaxed);
            if (thread != nullptr && thread != this_thread()) { continue; }
            if (!os::ProcessBarrier::prepare()) { break; }
            favour.thread.store(this_thread(), std::memory_order_relaxed);
            favour_.store(&favour, std::memory_order_relaxed);  // others look at it when they have locked mutex_
            return;
        }
        needed_ = never;
    }

    alignas(cache_line) std::atomic<Favour*> favour_{nullptr};  // given; written by who has locked mutex_
    std::array<Favour, 4> favours_;                             // when all have had an owner, no other thread gets one
    Favour* by_favour_ = nullptr;  // by which it is locked; of who has locked it, as are those below
    ThreadMutex mutex_;
    const void* last_ = nullptr;  // who locked mutex_ last
    std::uint32_t in_a_row_ = 0;
    std::uint32_t needed_ = much;
};

}  // namespace procpool::detail::client
