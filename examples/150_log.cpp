// SPDX-License-Identifier: BSL-1.0
// Log lines of tasks, and reports of their workers' ends, arrive in one place: the parent's sink; also from a worker
// that dies right after.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <csignal>
#include <string>

using procpool::LogLevel;

// [log]
void load(const std::string& file) {
    procpool::log(LogLevel::debug, "not shown: below the level of the sink");
    procpool::log(LogLevel::info, "reading {}", file);
    if (file == "broken.png") { std::raise(SIGSEGV); }
}
// [/log]

int main() {
    // log_to_stderr() would write "2026-01-31 14:05:09.120 info procpool:0[4711] task 1 'small.png': reading
    // small.png".
    procpool::set_log_sink([](const procpool::LogRecord& record) {
        std::string text{record.text};
        const std::string pid = fmt::format(", process {},", record.pid);
        const std::size_t at = text.find(pid);
        if (at != std::string::npos) { text.erase(at, pid.size()); }  // another number in each run
        fmt::print("{} worker {} '{}': {}\n", to_string(record.level), record.worker, record.label, text);
    });
    {
        procpool::ProcessPool pool{1};
        for (const char* const file : {"small.png", "broken.png", "large.png"}) {
            try {
                pool.apply(procpool::TaskOptions{.label = file}, load, file);
            } catch (const procpool::WorkerDied&) {}
        }
    }  // the sink has got all of it by now
    procpool::set_log_sink({});
    procpool::log(LogLevel::error, "nobody gets this");
}
