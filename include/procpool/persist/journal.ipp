// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/persist/journal.hpp>

#include <procpool/core/fault_point.hpp>
#include <procpool/log/report.hpp>

#include <algorithm>
#include <system_error>

namespace procpool::inline v0::detail::persist {

PROCPOOL_DECL Journal::Journal(const std::string& path, const JournalIdentity& identity)
    : path_(path),
      file_(path, identity),
      records_(file_.take_records()),
      sync_([this] {
          if (const int error = file_.sync(); error != 0) { warn(error); }
      }) {
    std::stable_sort(records_.begin(), records_.end(),
                     [](const JournalRecord& a, const JournalRecord& b) { return a.first < b.first; });
}

PROCPOOL_DECL Journal::Stretch Journal::find(std::uint64_t at) {
    const auto is_older = [this](std::size_t a, std::size_t b) { return records_[a].age < records_[b].age; };
    for (; next_ != records_.size() && records_[next_].first <= at; ++next_) {
        open_.push_back(next_);
        std::push_heap(open_.begin(), open_.end(), is_older);
    }
    while (!open_.empty() && records_[open_.front()].end() <= at) {
        std::pop_heap(open_.begin(), open_.end(), is_older);
        open_.pop_back();
    }
    if (open_.empty()) { return {nullptr, next_ != records_.size() ? records_[next_].first : UINT64_MAX, 0}; }
    const JournalRecord& newest = records_[open_.front()];
    std::uint64_t end = newest.end();
    for (std::size_t i = next_; i != records_.size() && records_[i].first < end; ++i) {
        if (records_[i].age > newest.age) { end = records_[i].first; }
    }
    return {&newest, end, at - newest.first};
}

PROCPOOL_DECL const JournalFile::Body* Journal::load() {
    const std::size_t wanted = open_.front();
    if (loaded_ == wanted) { return &body_; }
    loaded_ = nothing;
    if (!file_.read(records_[wanted], body_)) {
        records_[wanted].count = 0;  // find() takes it for one that has ended
        return nullptr;
    }
    loaded_ = wanted;
    return &body_;
}

PROCPOOL_DECL void Journal::append(RecordKind kind, std::uint64_t first, std::span<const std::uint64_t> items,
                                   std::span<const std::byte> results) {
    reach(FaultPoint::journal_taken);
    const int error = file_.append(kind, first, items, results);
    if (error != 0) { return warn(error); }
    reach(FaultPoint::journal_written);
    sync_.note_written();
}

PROCPOOL_DECL void Journal::remove() {
    if (const int error = file_.remove(); error != 0) { warn(error); }
    reach(FaultPoint::journal_removed);
}

PROCPOOL_DECL void Journal::warn(int error) noexcept {
    if (warned_.exchange(true, std::memory_order_relaxed)) { return; }
    log::report(LogLevel::warning, {}, "the journal {}: {}; the call goes on, and what is not recorded runs again",
                path_, std::system_category().message(error));
}

}  // namespace procpool::detail::persist
