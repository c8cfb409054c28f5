// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Trace: when which task ran on which worker, as far as there is room for it. TraceReader: takes records out of it.

#include <procpool/core/ending.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/log/journal.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace procpool::inline v0::detail::log {

/// pool and host are names, of a pool and of one of its machines; edge says that a task depends on another one; the
/// others happen at a time.
enum class TraceKind : std::uint8_t { pool, task, started, died, timed_out, recycled, host, edge };

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
    std::uint16_t node;            // rank of the machine; 0: that of the program
    ShortText<47> text;            // label of the task, name of the pool or host
    std::uint64_t dependency = 0;  // of an edge: the task that the other one depends on

    [[nodiscard]] bool has_time() const noexcept {
        return kind != TraceKind::pool && kind != TraceKind::host && kind != TraceKind::edge;
    }
};

/// The place in a trace up to which one reader has taken records.
struct TraceReader {
    static constexpr std::size_t most_late = 256;

    std::uint64_t read = 0;                ///< numbers up to this one
    std::vector<std::uint64_t> late = {};  ///< but for those that were not whole then; not more than most_late
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
    static_assert(sizeof(Place) == 2 * cache_line, "a record and its number share two lines");

    /// Effects: records go there. Requires: zeroed memory; the trace is not in use yet.
    void attach(std::span<Place> places, Words& words) noexcept {
        words_ = &words;
        places_ = places.data();
        count_ = places.size();
    }

    void add(const TraceRecord& record) noexcept {
        const std::uint64_t number = words_->last.fetch_add(1, std::memory_order_relaxed) + 1;
        // acquire: a place that was taken out has been read.
        if (count_ == 0 || number - words_->cleared.load(std::memory_order_acquire) > count_) { return; }
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

    /// Effects: use(const TraceRecord&) gets every record that is whole and has not been taken before, and makes room
    /// for as many. One that is being written meanwhile is taken by a later call, unless its writer has died. Called
    /// by: one thread of one process, in which nothing else clears the trace.
    template <class Use>
    void take(TraceReader& reader, Use use) {
        const std::uint64_t last = words_->last.load(std::memory_order_acquire);
        if (last == reader.read && reader.late.empty()) { return; }
        const auto take_one = [&](std::uint64_t number) {
            const Place& place = places_[number % count_];
            if (place.number.load(std::memory_order_acquire) != number) { return false; }
            use(place.record);
            return true;
        };
        std::erase_if(reader.late, take_one);
        const std::uint64_t kept = std::min<std::uint64_t>(last - reader.read, count_);
        for (std::uint64_t number = last - kept + 1; number <= last; ++number) {
            if (!take_one(number)) { reader.late.push_back(number); }
        }
        reader.read = last;
        if (reader.late.size() > TraceReader::most_late) {  // there was no room for them, or their writers have died
            reader.late.erase(reader.late.begin(), reader.late.end() - TraceReader::most_late);
        }
        // release: the places were read before; pairs with the acquire in add().
        words_->cleared.store(reader.late.empty() ? last : reader.late.front() - 1, std::memory_order_release);
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

/// When the event of the record began. Requires: it has a time.
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
        if (record.has_time()) { start = std::min(start, beginning_of(record)); }
    });
    return each([&](const TraceRecord& record) {
        if (!record.has_time() || beginning_of(record) >= start) { file.add(record, start); }
    });
}

static_assert(std::is_trivially_destructible_v<Trace::Words> && std::is_trivially_copyable_v<TraceRecord>,
              "nobody destroys what processes share");

}  // namespace procpool::detail::log
