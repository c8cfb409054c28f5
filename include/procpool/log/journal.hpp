// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Journal: log records on their way from any process to the one that shows them.

#include <procpool/core/platform.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/sync/parker.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace procpool::inline v0::detail::log {

/// Text of a fixed place: what does not fit is cut.
template <std::size_t bytes>
struct ShortText {
    std::uint16_t size;
    std::array<char, bytes> characters;

    void assign(std::string_view text) noexcept {
        size = static_cast<std::uint16_t>(std::min(text.size(), bytes));
        if (!text.empty()) { std::memcpy(characters.data(), text.data(), size); }
    }
    [[nodiscard]] std::string_view view() const noexcept {
        return {characters.data(), std::min<std::size_t>(size, bytes)};
    }
};

struct JournalEntry {
    static constexpr std::size_t most_text = 800;
    std::int64_t time;  // system clock, nanoseconds
    std::uint64_t task;
    std::int32_t pid;
    std::uint32_t worker;
    LogLevel level;
    ShortText<31> pool;
    ShortText<47> label;
    ShortText<37> host;
    ShortText<most_text> text;
};

/// A ring of cells in shared memory; all-zero memory is the empty one. Writers take no lock and never wait: a full
/// ring loses its oldest record. Each cell says who writes it, so that a writer may be killed between any two steps:
/// its cell is free again once the reader has seen that the process is gone, and until then writers pass it by. A task
/// may have written anything there: that costs records, and neither writers nor the reader look for ever, or elsewhere.
class Journal {
public:
    static constexpr std::uint64_t cells = 2048;

    /// Whether somebody wants records of this level.
    /// Memory order: relaxed; a new level takes effect soon.
    [[nodiscard]] bool wants(LogLevel level) const noexcept {
        return static_cast<std::uint32_t>(level) + levels_wanted_.load(std::memory_order_relaxed) >=
                   static_cast<std::uint32_t>(LogLevel::off) &&
               level < LogLevel::off;
    }
    [[nodiscard]] LogLevel level() const noexcept {
        return static_cast<LogLevel>(static_cast<std::uint32_t>(LogLevel::off) -
                                     levels_wanted_.load(std::memory_order_relaxed));
    }
    void set_level(LogLevel least) noexcept {
        levels_wanted_.store(static_cast<std::uint32_t>(LogLevel::off) - static_cast<std::uint32_t>(least),
                             std::memory_order_relaxed);
    }

    /// Effects: fill(JournalEntry&) writes a record, and the reader is notified. pid: of the caller. Called by: any
    /// process, any thread.
    template <class Fill>
    void write(std::int32_t pid, Fill fill) noexcept {
        Cell* const cell = claim(pid);
        if (cell == nullptr) {
            dropped_.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        fill(cell->entry);
        // release: the record comes before the word that says so.
        cell->word.store(Word{State::written, 0, Word::of(cell->word.load(std::memory_order_relaxed)).number}.bits(),
                         std::memory_order_release);
        reader.notify();
    }

    /// Effects: take(const JournalEntry&) gets every record that is whole, in the order in which they were begun; one
    /// that takes long to be written comes later, and one whose writer `is_gone(pid)` never. Returns: whether nothing
    /// is left that could still come. Called by: the reader; one thread at a time.
    template <class IsGone, class Take>
    bool drain(IsGone is_gone, Take take) {
        const std::uint64_t end = last_number();
        read_ = std::min(read_, end);
        std::uint64_t done = end;
        for (std::uint64_t number = std::max(read_, end > cells ? end - cells : 0) + 1; number <= end; ++number) {
            while (!settle(number, done, is_gone, take)) {}
        }
        read_ = done;
        return done == end;
    }

    /// How many records were lost: by a full ring, or with their writer.
    [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

    sync::Parker reader;  ///< of the thread that drains

private:
    enum class State : std::uint64_t { free, writing, written, read };

    /// State 2 bits, pid of the writer 22, number of the record 40; numbers begin with 1.
    struct Word {
        State state;
        std::uint64_t pid;
        std::uint64_t number;

        [[nodiscard]] constexpr std::uint64_t bits() const noexcept {
            return number << 24 | (pid & 0x3fffff) << 2 | static_cast<std::uint64_t>(state);
        }
        [[nodiscard]] static constexpr Word of(std::uint64_t bits) noexcept {
            return {static_cast<State>(bits & 3), bits >> 2 & 0x3fffff, bits >> 24};
        }
    };

    struct alignas(apart) Cell {
        std::atomic<std::uint64_t> word;
        JournalEntry entry;
    };
    static_assert(sizeof(Cell) == 1024, "a line of text, with what belongs to it");

    [[nodiscard]] Cell& cell_of(std::uint64_t number) noexcept { return ring_[number % cells]; }

    /// Effects: a cell is the caller's. A number is taken in two steps, the cell's word and then last_: a writer that
    /// finds the first one done does the second. Returns: null when all cells belong to writers that have not finished.
    [[nodiscard]] Cell* claim(std::int32_t pid) noexcept {
        std::uint64_t outrun = 0;
        for (std::uint64_t passed = 0; passed <= cells && outrun <= cells;) {
            std::uint64_t last = last_.load(std::memory_order_acquire);
            const std::uint64_t number = last + 1;
            Cell& cell = cell_of(number);
            std::uint64_t seen = cell.word.load(std::memory_order_acquire);
            const Word word = Word::of(seen);
            if (word.number > number) {  // others were faster
                ++outrun;
                if (last_.load(std::memory_order_acquire) != last) { continue; }
                // Or one of the two numbers was overwritten. The nearest that the cell can have is as good as any.
                if (word.number - number <= cells) {
                    last_.compare_exchange_strong(last, word.number, std::memory_order_acq_rel);
                } else {
                    cell.word.compare_exchange_strong(seen, Word{State::free, 0, 0}.bits(), std::memory_order_acq_rel);
                }
                continue;
            }
            if (word.number < number && (word.state == State::free || word.state == State::written)) {
                // acquire: the reader has copied what was there.
                const Word mine{State::writing, static_cast<std::uint64_t>(pid), number};
                if (!cell.word.compare_exchange_strong(seen, mine.bits(), std::memory_order_acq_rel)) { continue; }
                last_.compare_exchange_strong(last, number, std::memory_order_acq_rel);
                if (word.state == State::written) { dropped_.fetch_add(1, std::memory_order_relaxed); }
                return &cell;
            }
            if (word.number < number) { ++passed; }
            last_.compare_exchange_strong(last, number, std::memory_order_acq_rel);
        }
        return nullptr;
    }

    /// The number of the newest record; a writer may have died before it counted its own.
    [[nodiscard]] std::uint64_t last_number() noexcept {
        std::uint64_t last = last_.load(std::memory_order_acquire);
        for (std::uint64_t steps = 0; steps < cells; ++steps) {
            if (Word::of(cell_of(last + 1).word.load(std::memory_order_acquire)).number != last + 1) { break; }
            last_.compare_exchange_strong(last, last + 1, std::memory_order_acq_rel);
            last = last_.load(std::memory_order_acquire);
        }
        return last;
    }

    /// Effects: takes what the cell of that number holds, also an older record that was passed by while it was written,
    /// and closes the number: a writer that was about to claim it, while others passed it by, gets another one. `done`
    /// is less than a number that is yet to come. Returns: false when the cell has changed meanwhile. Called by: the
    /// reader.
    template <class IsGone, class Take>
    [[nodiscard]] bool settle(std::uint64_t number, std::uint64_t& done, const IsGone& is_gone, Take& take) {
        Cell& cell = cell_of(number);
        if (is_being_written(cell, number, is_gone)) {
            done = std::min(done, number - 1);
            return true;
        }
        std::uint64_t seen = cell.word.load(std::memory_order_relaxed);
        const Word word = Word::of(seen);
        if (word.number > number) { return true; }  // it comes with its own number
        const std::uint64_t closed = Word{State::free, 0, number}.bits();
        if (word.state != State::written) {
            return word.state == State::free && (word.number == number || cell.word.compare_exchange_strong(
                                                                              seen, closed, std::memory_order_acq_rel));
        }
        // acquire: sees the record. It is the reader's until the word says free.
        if (!cell.word.compare_exchange_strong(seen, Word{State::read, 0, word.number}.bits(),
                                               std::memory_order_acquire)) {
            return false;
        }
        const JournalEntry entry = cell.entry;
        cell.word.store(closed, std::memory_order_release);  // the copy is made before the next writer's claim
        take(entry);
        return true;
    }

    /// Whether the record of that number is yet to come, or an older one that its writers passed by.
    template <class IsGone>
    [[nodiscard]] bool is_being_written(Cell& cell, std::uint64_t number, IsGone is_gone) noexcept {
        constexpr int looks = 2000;
        for (int i = 0; i < looks; ++i) {
            std::uint64_t seen = cell.word.load(std::memory_order_relaxed);
            const Word word = Word::of(seen);
            if (word.number > number || word.state != State::writing) { return false; }
            if (i + 1 == looks && is_gone(static_cast<std::int32_t>(word.pid))) {
                // It may have finished and then ended; if not, no other process will.
                if (cell.word.compare_exchange_strong(seen, Word{State::free, 0, word.number}.bits(),
                                                      std::memory_order_acq_rel)) {
                    dropped_.fetch_add(1, std::memory_order_relaxed);
                }
                return false;
            }
            relax();
        }
        return true;
    }

    std::atomic<std::uint32_t> levels_wanted_;  // LogLevel::off - the least level that is wanted
    alignas(apart) std::atomic<std::uint64_t> last_;
    std::atomic<std::uint64_t> dropped_;
    alignas(apart) std::uint64_t read_;  // the reader's: all up to this number are settled
    std::array<Cell, cells> ring_;
};

static_assert(std::is_trivially_destructible_v<Journal> && std::is_trivially_copyable_v<JournalEntry>,
              "nobody destroys what processes share");

}  // namespace procpool::detail::log
