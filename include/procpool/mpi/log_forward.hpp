// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// LogForward: the log records of a machine on their way to that of rank 0.

#include <procpool/core/config.hpp>
#include <procpool/log/journal.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/log/shared_records.hpp>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::mpi {

/// Takes the place of the sink that the program has set: its records are shown where the pool is.
class LogForward {
public:
    /// Effects: keeps records of at least that level.
    void want(LogLevel level) {
        if (level == level_) { return; }
        level_ = level;
        if (level == LogLevel::off) {
            set_log_sink({});
            return;
        }
        set_log_sink([kept = kept_](const LogRecord& record) { kept->add(record); }, level);
    }
    /// Returns: those that have come since the last call.
    [[nodiscard]] std::vector<log::JournalEntry> take() { return kept_->take(); }

private:
    /// The sink runs on a thread of its own.
    class Kept {
    public:
        void add(const LogRecord& record) {
            log::JournalEntry entry{};
            entry.time = std::chrono::duration_cast<std::chrono::nanoseconds>(record.time.time_since_epoch()).count();
            entry.task = record.task;
            entry.pid = record.pid;
            entry.worker = record.worker;
            entry.level = record.level;
            entry.pool.assign(record.pool);
            entry.label.assign(record.label);
            entry.text.assign(record.text);
            const std::lock_guard guard{mutex_};
            if (entries_.size() < log::Journal::cells) { entries_.push_back(entry); }
        }
        [[nodiscard]] std::vector<log::JournalEntry> take() {
            const std::lock_guard guard{mutex_};
            return std::exchange(entries_, {});
        }

    private:
        std::mutex mutex_;
        std::vector<log::JournalEntry> entries_;
    };

    std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
    LogLevel level_ = LogLevel::off;
};

/// Effects: writes a record of another machine into this program's journal. first_index: of that machine's workers.
inline void show(std::span<const std::byte> bytes, std::string_view host, std::uint32_t first_index) noexcept {
    log::SharedRecords* const records = log::SharedRecords::current();
    if (records == nullptr || bytes.size() != sizeof(log::JournalEntry)) { return; }
    records->journal.write(os::this_process(), [&](log::JournalEntry& entry) {
        std::memcpy(&entry, bytes.data(), sizeof entry);
        if (entry.worker != LogRecord::no_worker) { entry.worker += first_index; }
        entry.host.assign(host);
    });
}

}  // namespace procpool::detail::mpi
