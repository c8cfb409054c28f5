// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/lazy_driver.hpp>

#include <algorithm>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL LazyDriver::LazyDriver(MapDriver& driver, ResultQueue& queue, pool::KeepOpen& hold,
                                     const MapOptions& options, bool reads_at_once)
    : driver_(driver),
      queue_(queue),
      hold_(hold),
      options_(options),
      workers_(driver.workers()),
      reads_at_once_(reads_at_once) {
    adapt();
    fill();
}

PROCPOOL_DECL bool LazyDriver::drive(Deadline deadline) {
    try {
        bool has_news = false;
        bool has_looked = false;
        while (!is_over_) {
            driver_.keep_time();
            if (!queue_.has_next() && (has_news || driver_.has_news())) {
                driver_.collect();
                adapt();
                has_news = false;
                has_looked = true;
            }
            // Workers have enough to do while the consumer is at this result.
            if (reads_at_once_ && room() >= worthwhile_) { fill(); }
            driver_.report_progress();
            if (queue_.has_next()) {
                ++given_;
                return true;
            }
            // An input that may take long withholds no result that is there: the queue is looked at after each chunk.
            if (!reads_at_once_ && may_read(deadline) && driver_.submit_next(chunk_)) { continue; }
            if (!driver_.in_flight() && !driver_.has_input()) {
                end();
                return false;
            }
            if (deadline.passed()) {
                if (has_looked) { return false; }
                has_news = true;  // maybe: has_news() looks at the first chunks only
                continue;
            }
            driver_.wait(deadline);
            has_news = true;
        }
    } catch (...) {  // of the listener to progress, or for want of memory
        is_over_ = true;
        driver_.stop();
        hold_.release();
        throw;
    }
    return false;
}

/// Effects: chunk and window are those of the options, or suit the items that were measured. Where to read an item may
/// take its time, each is sent before the next is asked for: the input may wait for what that very item does.
PROCPOOL_DECL void LazyDriver::adapt() noexcept {
    constexpr std::size_t largest_chunk = 1024;  // that a chunk size beyond reason means for an endless input
    constexpr std::size_t most_ahead = 4096;     // items, where the window is ours and they take next to nothing
    constexpr std::size_t most_single = 16;      // for each worker, likewise, where each item is a chunk

    const std::size_t chunks = chunks_per_worker * workers_;
    if (options_.chunk_size != 0) {
        window_ = options_.window != 0 ? options_.window : chunks * std::min(options_.chunk_size, largest_chunk);
        chunk_ = std::min(options_.chunk_size, window_);
    } else {
        const std::size_t worthwhile = driver_.worthwhile();
        const std::size_t most = options_.window != 0 ? options_.window : std::max(most_ahead, chunks);
        chunk_ = reads_at_once_ ? std::clamp(most / chunks, std::size_t{1}, worthwhile) : 1;
        const std::size_t single = std::clamp(worthwhile, chunks_per_worker, most_single) * workers_;
        window_ = options_.window != 0 ? options_.window : reads_at_once_ ? chunks * chunk_ : single;
    }
    worthwhile_ = std::max(chunk_, (window_ + 1) / 2);
}

PROCPOOL_DECL std::size_t LazyDriver::room() const noexcept {
    return window_ - std::min(window_, driver_.submitted() - given_);
}

/// Whether to read on, until the window is full. Not when the time is over: a result that is under way may come sooner
/// than the next item.
PROCPOOL_DECL bool LazyDriver::may_read(Deadline deadline) {
    is_filling_ = room() >= (is_filling_ ? chunk_ : worthwhile_);
    return is_filling_ && !(deadline.passed() && driver_.in_flight()) && driver_.has_input();
}

PROCPOOL_DECL void LazyDriver::fill() {
    while (room() >= chunk_ && driver_.has_input()) {
        if (!driver_.submit_next(chunk_)) { return; }
    }
}

PROCPOOL_DECL void LazyDriver::end() {
    is_over_ = true;
    driver_.end_hedges(false);
    driver_.end_callable();
    hold_.release();
    driver_.end_progress();
    error_ = driver_.error();
}

}  // namespace procpool::detail::map
