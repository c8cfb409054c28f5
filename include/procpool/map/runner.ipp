// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/runner.hpp>

#include <procpool/codec/exception.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/deadline.hpp>

#include <algorithm>
#include <chrono>
#include <exception>

namespace procpool::inline v0::detail::map {

PROCPOOL_DECL ChunkRunner::ChunkRunner(TaskFrame& frame, std::size_t result_size, bool adds_bytes)
    : arguments_(frame.arguments),
      out_(frame.result),
      host_(frame.host),
      in_(frame.arguments),
      head_(codec::decode_plain<ChunkHead>(in_)),
      done_(head_.skip),
      limit_(frame.host.wiped_word() != nullptr ? *frame.host.wiped_word() : own_limit_),
      result_size_(result_size),
      adds_bytes_(adds_bytes) {}

PROCPOOL_DECL void ChunkRunner::run() {
    report_.completed = done_;
    codec::encode_plain(out_, report_);
    if (result_size_ != 0) { results_ = out_.claim((head_.count - head_.skip) * result_size_); }
    whole_ = sizeof(ChunkReport);
    host_.start_items(static_cast<unsigned>(head_.attempt));
    try {
        begin_items();
        if (run_all()) { end_items(); }
    } catch (const os::NeverThrown&) { throw; } catch (...) {
        const std::exception_ptr error = std::current_exception();
        if (!error) { throw; }  // pthread_exit()
        note_failure(error);
    }
    note_progress();
    out_.rewind(whole_);
}

/// Accounts for items block by block: one by one, or by up to 64 of them where they take under 100 ns. The clock is
/// read every few microseconds, after one block or several: reading it takes time itself, and waits for all memory
/// accesses that are under way. Returns: false if an item has failed after which the chunk does not go on.
PROCPOOL_DECL bool ChunkRunner::run_all() {
    constexpr std::uint64_t most_blocks = 32;
    constexpr std::chrono::nanoseconds cheap{100};
    constexpr std::chrono::microseconds often{2};
    constexpr std::chrono::milliseconds brief{1};
    constexpr std::chrono::milliseconds recorded{20};
    const Clock::duration longest = (head_.flags & ChunkHead::brief) != 0      ? Clock::duration{brief}
                                    : (head_.flags & ChunkHead::recorded) != 0 ? Clock::duration{recorded}
                                                                               : Clock::duration::max();
    const Clock::time_point start = Clock::now();
    Clock::time_point last = start;
    std::uint64_t block = 1;
    std::uint64_t blocks = 1;
    const std::uint64_t budget = host_.item_budget();
    const std::uint64_t end = head_.count - done_ > budget ? done_ + budget : head_.count;
    if (host_.stop_requested()) { return true; }
    for (bool goes_on = true; done_ < end && goes_on;) {
        const std::uint64_t before = done_;
        try {
            const std::uint64_t to = std::min(end, done_ + block * blocks);
            const bool cheapest = blocks != 1 && block == largest_block && !adds_bytes_;
            if (cheapest && result_size_ != 0 && report_.error_at == 0) {
                seal(sizeof(ChunkReport) + (to - head_.skip) * result_size_);  // as if all were there
            }
            run_blocks(to, blocks == 1 ? 0 : block, cheapest);
        } catch (const os::NeverThrown&) { throw; } catch (...) {  // not thrown on, which would lose where from
            const std::exception_ptr error = std::current_exception();
            if (!error) { throw; }
            if (report_.error_at == 0) { note_failure(error); }
            os::throw_place.count = 0;  // it is of no other exception
            if ((head_.flags & ChunkHead::goes_on) == 0) { return false; }
            ++done_;
        }
        const Clock::time_point now = Clock::now();
        report_.nanoseconds = static_cast<std::uint64_t>((now - start).count());
        goes_on = note_progress();
        const auto elapsed = now - last;
        if ((head_.flags & ChunkHead::exact) == 0) {
            block =
                elapsed < cheap * static_cast<std::int64_t>(done_ - before) ? std::min(block * 2, largest_block) : 1;
        }
        blocks = elapsed < often ? std::min(blocks * 2, most_blocks) : std::max(blocks / 2, std::uint64_t{1});
        if (now - start > longest) { return true; }
        last = now;
    }
    return true;
}

/// Effects: the item that would have been next has failed by the exception that is being handled. Its error lies behind
/// all results there are, and, where room for all results was claimed, behind that.
PROCPOOL_DECL void ChunkRunner::note_failure(const std::exception_ptr& error) {
    leave_if_impostor();
    worker::report_throw();
    const bool more_results = (head_.flags & ChunkHead::goes_on) != 0;
    const std::size_t claimed = more_results ? static_cast<std::size_t>(head_.count - head_.skip) * result_size_ : 0;
    set_whole();
    const std::size_t at = std::max(whole_, sizeof(ChunkReport) + claimed);
    out_.rewind(at);
    codec::encode_exception(out_, error);
    whole_ = out_.size();
    if (result_size_ != 0) {
        results_ = out_.buffer().data() + sizeof(ChunkReport);  // the buffer may have grown
    }
    report_.failed_item = done_;
    report_.error_at = at;
}

/// Effects: if the worker dies, the items that are finished now are kept.
PROCPOOL_DECL bool ChunkRunner::note_progress() {
    set_whole();
    const bool goes_on = seal(whole_);
    note_completed<sizeof(ChunkReport)>();
    return goes_on;
}

}  // namespace procpool::inline v0::detail::map
