// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// log(): lines from any process of a program to its sink.

#include <procpool/log/chronicle.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/os/process.hpp>
#include <procpool/task/thread_context.hpp>

#include <fmt/core.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace procpool::inline v0 {

namespace detail::log {

[[nodiscard]] inline bool is_logged(LogLevel level) noexcept {
    const log::Chronicle* const chronicle = log::Chronicle::current();
    return chronicle != nullptr && chronicle->journal.wants(level);
}

/// What a record is about.
struct LogSubject {
    std::uint32_t worker = LogRecord::no_worker;
    std::int32_t pid = 0;  ///< 0: the caller's
    std::uint64_t task = 0;
    std::string_view label = {};
    std::string_view pool = {};
};

/// Called by: who has asked is_logged().
inline void write_log(LogLevel level, const LogSubject& subject, fmt::string_view format,
                      fmt::format_args arguments) noexcept {
    // Formatted first: that may run code of the user's, which may log, throw or die.
    constexpr std::size_t most = log::JournalEntry::most_text;
    std::array<char, most> text;
    std::size_t size = 0;
    try {
        // Not by vformat_to_n(): Clang gives what it calls another name than the GCC that Debian's fmt 9 is built with.
        const std::string formatted = fmt::vformat(format, arguments);
        size = formatted.size();
        std::copy_n(formatted.data(), std::min(size, most), text.data());
    } catch (...) {  // what was formatted says more than nothing
        const std::string_view unformatted{format.data(), format.size()};
        size = std::min(unformatted.size(), most);
        std::copy_n(unformatted.data(), size, text.data());
    }
    if (size > most) {
        constexpr std::string_view cut = "...";
        std::copy(cut.begin(), cut.end(), text.end() - cut.size());
        size = most;
    }
    const std::int32_t self = os::this_process();
    log::Chronicle::current()->journal.write(self, [&](log::JournalEntry& entry) {
        entry.time =
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count();
        entry.task = subject.task;
        entry.pid = subject.pid != 0 ? subject.pid : self;
        entry.worker = subject.worker;
        entry.level = level;
        entry.pool.assign(subject.pool);
        entry.label.assign(subject.label);
        entry.text.assign({text.data(), size});
    });
}

/// Effects: logs something about the subject.
template <class... Args>
void report(LogLevel level, const LogSubject& subject, fmt::format_string<Args...> format,
            const Args&... args) noexcept {
    if (is_logged(level)) { write_log(level, subject, format, fmt::make_format_args(args...)); }
}

/// What the caller's own lines are about: the task and the worker it is, if it is one.
[[nodiscard]] inline LogSubject log_subject() noexcept {
    const task::ThreadContext& context = task::thread_context;
    if (!context.in_worker) { return {}; }
    const bool in_task = context.task != nullptr;
    return {context.index, 0, in_task ? context.task->id() : 0, in_task ? context.task->label() : std::string_view{},
            context.pool != nullptr ? std::string_view{context.pool} : std::string_view{}};
}

}  // namespace detail::log

/// Effects: the program's sink gets the formatted text as one record, soon, also if the caller's process dies right
/// afterwards; see set_log_sink(). Nothing is formatted when nobody wants records of this level. A full journal loses
/// its oldest records; the sink is told how many. Called by: tasks, initializers, finalizers, the parent, and what they
/// fork; any thread.
template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, const Args&... args) noexcept {
    if (detail::log::is_logged(level)) {
        detail::log::write_log(level, detail::log::log_subject(), format, fmt::make_format_args(args...));
    }
}

/// The least level that reaches a sink; `off` without one. The same in the parent and in its workers.
[[nodiscard]] inline LogLevel log_level() noexcept {
    const detail::log::Chronicle* const chronicle = detail::log::Chronicle::current();
    return chronicle == nullptr ? LogLevel::off : chronicle->journal.level();
}

}  // namespace procpool
