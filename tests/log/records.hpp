// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Records: a sink that keeps what it gets, for one test case.

#include <procpool/procpool.hpp>

#include "pool/engines.hpp"
#include "support/asleep.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace procpool_test {

struct Record {
    LogLevel level;
    std::string text;
    std::int32_t pid;
    std::uint32_t worker;
    std::uint64_t task;
    std::string label;
    std::string pool;
    std::string host;
};

[[nodiscard]] inline bool log_thread_sleeps() {
    for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::string name;
        std::getline(std::ifstream{thread.path() / "comm"}, name);
        if (name == "procpool:log") { return is_asleep_on_futex(std::stoi(thread.path().filename())); }
    }
    return false;
}

class Records {
public:
    explicit Records(LogLevel level = LogLevel::info) {
        set_log_sink(
            [kept = kept_](const LogRecord& record) {
                const std::lock_guard guard{kept->mutex};
                kept->all.push_back({record.level, std::string{record.text}, record.pid, record.worker, record.task,
                                     std::string{record.label}, std::string{record.pool}, std::string{record.host}});
            },
            level);
        // AddressSanitizer's allocator has locks that stay locked in a child which is forked while a thread allocates.
        if (under_sanitizer) { wait_until(log_thread_sleeps, "the thread of the log to sleep"); }
    }
    Records(const Records&) = delete;
    Records& operator=(const Records&) = delete;
    ~Records() { set_log_sink({}); }

    [[nodiscard]] std::vector<Record> all() const {
        const std::lock_guard guard{kept_->mutex};
        return kept_->all;
    }
    [[nodiscard]] std::vector<Record> with(const std::string& part) const {
        std::vector<Record> found;
        for (Record& record : all()) {
            if (record.text.find(part) != std::string::npos) { found.push_back(std::move(record)); }
        }
        return found;
    }

private:
    struct Kept {
        std::mutex mutex;
        std::vector<Record> all;
    };
    std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
};

}  // namespace procpool_test
