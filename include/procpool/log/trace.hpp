// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Trace: when which task ran on which worker, as far as there is room for it.

#include <procpool/core/ending.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/log/journal.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace procpool::inline v0::detail::log {

enum class TraceKind : std::uint8_t { pool, task, started, died, timed_out, recycled };

/// Times are those of the steady clock, in nanoseconds.
struct TraceRecord {
    std::int64_t begin;
    std::int64_t end;
    std::int64_t queued;  // when it was submitted
    std::int64_t cpu;     // nanoseconds that the worker's thread was running; -1: unknown
    std::uint64_t task;
    std::int32_t pid;
    std::uint32_t pool;
    std::uint32_t worker;
    std::uint32_t items;  // that were finished; 0: a task of one call
    std::uint16_t attempt;
    TraceKind kind;
    Ending ended;
    ShortText<47> text;  // label of the task, name of the pool
};

/// Where records are; the records themselves and Words are in shared memory, where any task may have written. All-zero
/// memory is one without room. A record that does not fit is lost, and counted. Called by: any process, any thread.
class Trace {
public:
    /// All-zero memory is the valid initial state.
    struct Words {
        std::atomic<std::uint64_t> cleared;  // up to this number
        std::atomic<std::uint32_t> pools;
        alignas(apart) std::atomic<std::uint64_t> last;
    };
    struct alignas(cache_line) Place {
        std::atomic<std::uint64_t> number;  // of the record that is whole here
        TraceRecord record;
    };
    static_assert(sizeof(Place) == 2 * cache_line);

    /// Effects: records go there. Requires: zeroed memory; the trace is not in use yet.
    void attach(std::span<Place> places, Words& words) noexcept {
        words_ = &words;
        places_ = places.data();
        count_ = places.size();
    }

    void add(const TraceRecord& record) noexcept {
        const std::uint64_t number = words_->last.fetch_add(1, std::memory_order_relaxed) + 1;
        if (count_ == 0 || number - words_->cleared.load(std::memory_order_relaxed) > count_) { return; }
        Place& place = places_[number % count_];
        place.record = record;
        place.number.store(number, std::memory_order_release);  // pairs with the acquire in for_each()
    }

    /// Effects: use(const TraceRecord&) gets every record that is whole, in the order in which they were begun.
    /// Returns: how many there was no room for.
    template <class Use>
    std::uint64_t for_each(Use use) const {
        const std::uint64_t last = words_->last.load(std::memory_order_acquire);
        const std::uint64_t first = words_->cleared.load(std::memory_order_relaxed);
        const std::uint64_t kept = std::min<std::uint64_t>(last - first, count_);
        for (std::uint64_t number = first + 1; number <= first + kept; ++number) {
            const Place& place = places_[number % count_];
            if (place.number.load(std::memory_order_acquire) == number) { use(place.record); }
        }
        return last - first - kept;
    }

    /// Effects: forgets the records there are. Requires: no traced pool is at work, or a record of it may be lost.
    void clear() noexcept {
        words_->cleared.store(words_->last.load(std::memory_order_relaxed), std::memory_order_relaxed);
    }

    /// Returns: a number that no other pool of this program has.
    [[nodiscard]] std::uint32_t next_pool() noexcept {
        return words_->pools.fetch_add(1, std::memory_order_relaxed) + 1;
    }

private:
    Place* places_;
    std::uint64_t count_;
    Words* words_;
};

/// When the event of the record began. Requires: it is not of kind pool.
[[nodiscard]] inline std::int64_t beginning_of(const TraceRecord& record) noexcept {
    return record.kind == TraceKind::task ? std::min(record.begin, record.queued) : record.begin;
}

/// Effects: adds the records that each(use) gives to use(), which is called twice: first to learn where the time axis
/// starts. A task that ended between the two looks may have begun before that: it is left out, like those that still
/// run. Returns: what each() returned.
template <class File, class Each>
std::uint64_t add_all(File& file, Each each) {
    std::int64_t start = INT64_MAX;
    each([&](const TraceRecord& record) {
        if (record.kind != TraceKind::pool) { start = std::min(start, beginning_of(record)); }
    });
    return each([&](const TraceRecord& record) {
        if (record.kind == TraceKind::pool || beginning_of(record) >= start) { file.add(record, start); }
    });
}

static_assert(std::is_trivially_destructible_v<Trace::Words> && std::is_trivially_copyable_v<TraceRecord>,
              "nobody destroys what processes share");

}  // namespace procpool::detail::log
