// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/report.hpp>
#include <procpool/log/shared_records.hpp>
#include <procpool/os/process.hpp>
#include <procpool/task/thread_context.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <string>

namespace procpool::inline v0::detail::log {

PROCPOOL_DECL LogSubject subject_here() noexcept {
    const task::ThreadContext& context = task::thread_context;
    if (!context.in_worker) { return {}; }
    const bool in_task = context.task != nullptr;
    return {context.index, 0, in_task ? context.task->id() : 0, in_task ? context.task->label() : std::string_view{},
            context.pool != nullptr ? std::string_view{context.pool} : std::string_view{}};
}

PROCPOOL_DECL void write_log(LogLevel level, fmt::string_view format, fmt::format_args arguments) noexcept {
    write_report(level, subject_here(), format, arguments);
}

PROCPOOL_DECL void write_report(LogLevel level, const LogSubject& subject, fmt::string_view format,
                                fmt::format_args arguments) noexcept {
    // Formatted first: that may run code of the user's, which may log, throw or die.
    constexpr std::size_t most = JournalEntry::most_text;
    std::array<char, most> text;
    std::size_t size = 0;
    try {
#if defined(__clang__)
        // Clang gives a function that vformat_to_n() calls another name than the GCC that Debian's fmt 9 is built with.
        const std::string formatted = fmt::vformat(format, arguments);
        size = formatted.size();
        std::copy_n(formatted.data(), std::min(size, most), text.data());
#else
        size = fmt::vformat_to_n(text.data(), most, format, arguments).size;  // without allocating
#endif
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
    SharedRecords::current()->journal.write(self, [&](JournalEntry& entry) {
        entry.time =
            std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count();
        entry.task = subject.task;
        entry.pid = subject.pid != 0 ? subject.pid : self;
        entry.worker = subject.worker;
        entry.level = level;
        entry.pool.assign(subject.pool);
        entry.label.assign(subject.label);
        entry.host.assign(subject.host);
        entry.text.assign({text.data(), size});
    });
}

}  // namespace procpool::detail::log
