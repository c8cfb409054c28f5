// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/deadline.hpp>
#include <procpool/core/printable.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/log/shared_records.hpp>
#include <procpool/os/per_process.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_exit.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/terminal.hpp>
#include <procpool/os/yield.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace procpool::inline v0 {

namespace detail::log {

/// The sink of one process, and the thread that gives it the records; there is none without a sink. Never destroyed. In
/// a forked child it is not touched: a thread that the child has not may hold a lock of it.
class LogSink : public os::OfOneProcess {
public:
    /// Returns: the sink of this process; null when none was ever set.
    [[nodiscard]] static LogSink* mine() noexcept { return newest_.mine(); }
    /// Throws: SharedMemoryExhausted.
    [[nodiscard]] static LogSink& of_this_process() {
        return newest_.get([] { return new LogSink; },
                           [](LogSink&) {
                               std::atexit([] {
                                   if (LogSink* const last = mine()) { last->end(); }
                               });
                           });
    }

    void set(LogFunction function, LogLevel level) {
        if (delivering_) { throw std::logic_error("procpool: a log sink cannot set another"); }
        const std::lock_guard one_at_a_time{setting_};
        const bool any = static_cast<bool>(function);
        if (!any) { records_.journal.set_level(LogLevel::off); }
        {
            const std::lock_guard guard{mutex_};
            drain();  // what was logged before is for the one before
            function_ = std::move(function);
        }
        if (any) {
            if (!thread_.joinable()) {
                const os::AllSignalsBlocked inherited_by_the_thread;
                thread_ = std::thread([this] { serve(); });
                // A child that is forked now would inherit what a thread has in hand when it begins: a lock of a
                // sanitizer's, a symbol that is looked up (see os/inherited_stacks.hpp). Relaxed: nothing else is
                // read by it.
                has_begun_.wait(false, std::memory_order_relaxed);
            }
            records_.journal.set_level(level);
        } else if (thread_.joinable()) {
            stop_.store(true, std::memory_order_relaxed);
            records_.journal.reader.notify();
            thread_.join();
            stop_.store(false, std::memory_order_relaxed);
            has_begun_.store(false, std::memory_order_relaxed);
        }
    }

    /// Blocks until the sink has got all that was logged before, unless it does not return from a record before the
    /// deadline. Does nothing within a sink.
    void flush(Deadline deadline) noexcept {
        if (delivering_) { return; }
        if (const auto lock = lock_until(deadline)) { drain(); }
    }

    /// How long the end of a pool, a Process or the program waits for a sink that does not return.
    static constexpr std::chrono::seconds patience{3};

private:
    LogSink() : records_(SharedRecords::own()) {}

    /// The program ends: its statics are about to be destroyed.
    void end() noexcept {
        if (delivering_) { return; }
        records_.journal.set_level(LogLevel::off);
        if (const auto lock = lock_until(Deadline::after(patience))) {
            drain();
            function_ = nullptr;
        }
    }

    /// The standard library has no timed mutex on the steady clock under ThreadSanitizer, and this is rare: a sink that
    /// takes long.
    [[nodiscard]] std::unique_lock<std::mutex> lock_until(Deadline deadline) noexcept {
        std::unique_lock lock{mutex_, std::defer_lock};
        if (deadline.is_never()) {
            lock.lock();
        } else {
            while (!lock.try_lock() && !deadline.passed()) { os::nap(); }
        }
        return lock;
    }

    void serve() noexcept {
        os::name_process("procpool:log");  // the thread, that is
        has_begun_.store(true, std::memory_order_relaxed);
        has_begun_.notify_one();
        // A writer may be killed before it notifies this thread, or stopped before its record is whole: so the thread
        // looks again.
        constexpr std::chrono::milliseconds now_and_then{100};
        while (!stop_.load(std::memory_order_relaxed)) {
            if (const auto call = before_looks.load(std::memory_order_acquire)) {
                const os::InProgramCode here;
                call();
            }
            {
                const std::lock_guard guard{mutex_};
                drain();
            }
            records_.journal.reader.park(Deadline::after(now_and_then));
        }
    }

    /// Requires: mutex_ is held.
    void drain() noexcept {
        const os::InProgramCode here;
        delivering_ = true;
        records_.journal.drain(
            [](std::int32_t pid) { return os::is_gone(pid); },
            [this](const JournalEntry& entry) {
                const std::chrono::nanoseconds since_epoch{entry.time};
                deliver({.level = entry.level,
                         .time =
                             std::chrono::system_clock::time_point{
                                 std::chrono::duration_cast<std::chrono::system_clock::duration>(since_epoch)},
                         .text = entry.text.view(),
                         .pid = entry.pid,
                         .worker = entry.worker,
                         .task = entry.task,
                         .label = entry.label.view(),
                         .host = entry.host.view(),
                         .pool = entry.pool.view()});
            });
        if (const std::uint64_t dropped = records_.journal.dropped(); dropped != told_dropped_) {
            const std::string text =
                std::to_string(dropped - std::exchange(told_dropped_, dropped)) + " log records were lost";
            deliver({.level = LogLevel::warning,
                     .time = std::chrono::system_clock::now(),
                     .text = text,
                     .pid = os::this_process()});
        }
        delivering_ = false;
    }

    void deliver(const LogRecord& record) noexcept {
        if (!function_) { return; }
        try {
            function_(record);
        } catch (...) {  // there is nobody left to tell
        }
    }

    SharedRecords& records_;
    std::mutex setting_;
    std::mutex mutex_;  // of what follows; the sink is called under it
    LogFunction function_;
    std::uint64_t told_dropped_ = 0;
    std::thread thread_;  // guarded by setting_
    std::atomic<bool> stop_{false};
    std::atomic<bool> has_begun_{false};

    static inline constinit os::PerProcess<LogSink> newest_;
    static inline constinit thread_local bool delivering_ = false;  // the caller is in a sink
};

PROCPOOL_DECL void prepare_log() { static_cast<void>(SharedRecords::ensure()); }

PROCPOOL_DECL void settle_log() noexcept {
    if (LogSink* const sink = LogSink::mine()) { sink->flush(Deadline::after(LogSink::patience)); }
}

/// "2026-01-31 14:05:09.120 warning procpool:3[4711] task 17 'resize': text", on one line: what tasks and labels
/// contain cannot end it.
[[nodiscard]] PROCPOOL_DECL std::string line_of(const LogRecord& record) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(record.time);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    std::array<char, 32> date{};
    const std::size_t size = std::strftime(date.data(), date.size(), "%Y-%m-%d %H:%M:%S", &local);
    const auto milliseconds =
        std::chrono::duration_cast<std::chrono::milliseconds>(record.time.time_since_epoch()).count() % 1000;
    std::string line{date.data(), size};
    line.append(".").append(std::to_string(1000 + milliseconds), 1);
    line.append(" ").append(to_string(record.level)).append(" ");
    core::append_printable(line, record.pool.empty() ? std::string_view{"procpool"} : record.pool);
    if (record.worker != LogRecord::no_worker) { line.append(":").append(std::to_string(record.worker)); }
    line.append("[").append(std::to_string(record.pid)).append("]");
    if (!record.host.empty()) {
        line += '@';
        core::append_printable(line, record.host);
    }
    if (record.task != 0) { line.append(" task ").append(std::to_string(record.task)); }
    if (!record.label.empty()) {
        line += " '";
        core::append_printable(line, record.label);
        line += "'";
    }
    line += ": ";
    core::append_printable(line, record.text);
    line += '\n';
    return line;
}

}  // namespace detail::log

PROCPOOL_DECL void set_log_sink(LogFunction sink, LogLevel level) {
    detail::log::LogSink::of_this_process().set(std::move(sink), level);
}

PROCPOOL_DECL void flush_log() noexcept {
    if (detail::log::LogSink* const sink = detail::log::LogSink::mine()) { sink->flush(detail::Deadline::never()); }
}

PROCPOOL_DECL void log_to_stderr(LogLevel level) {
    if (level == LogLevel::off) {
        set_log_sink({});
        return;
    }
    set_log_sink(
        [](const LogRecord& record) {
            detail::os::write_text(detail::os::number_of(stderr), detail::log::line_of(record));
        },
        level);
}

}  // namespace procpool
