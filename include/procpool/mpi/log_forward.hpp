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
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string>
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
            if (entries_.size() < log::Journal::cells) {
                entries_.push_back(entry);
                return;
            }
            // The last one tells how many there was no room for.
            if (++lost_ == 1) { entries_.push_back(entry); }
            log::JournalEntry& last = entries_.back();
            last.level = LogLevel::warning;
            last.worker = LogRecord::no_worker;
            last.task = 0;
            last.label.assign({});
            last.text.assign(std::to_string(lost_) + " log records were lost");
        }
        [[nodiscard]] std::vector<log::JournalEntry> take() {
            const std::lock_guard guard{mutex_};
            lost_ = 0;
            return std::exchange(entries_, {});
        }

    private:
        std::mutex mutex_;
        std::vector<log::JournalEntry> entries_;
        std::uint64_t lost_ = 0;
    };

    std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
    LogLevel level_ = LogLevel::off;
};

/// The least level that a sink of this program wants.
[[nodiscard]] inline LogLevel wanted_level() noexcept {
    const log::SharedRecords* const records = log::SharedRecords::current();
    return records != nullptr ? records->journal.level() : LogLevel::off;
}

/// Effects: writes a record of another machine into this program's journal, unless none of its level is wanted any
/// more. first_index: of that machine's workers.
inline void show(std::span<const std::byte> bytes, std::string_view host, std::uint32_t first_index) noexcept {
    log::SharedRecords* const records = log::SharedRecords::current();
    log::JournalEntry record{};
    if (records == nullptr || bytes.size() != sizeof record) { return; }
    std::memcpy(&record, bytes.data(), sizeof record);
    if (!records->journal.wants(record.level)) { return; }
    if (record.worker != LogRecord::no_worker) { record.worker += first_index; }
    record.host.assign(host);
    records->journal.write(os::this_process(), [&](log::JournalEntry& entry) { entry = record; });
}

}  // namespace procpool::detail::mpi
