// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/hedges.hpp>

#include <procpool/map/wire.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

namespace procpool::inline v0::detail::map {

/// Below that a second run costs about as much as it saves.
inline constexpr std::chrono::milliseconds shortest_limit{1};

/// Returns: the time, times the factor; what any clock can add.
[[nodiscard]] PROCPOOL_DECL Clock::duration scaled(std::chrono::nanoseconds time, double factor) noexcept {
    constexpr double most = 1e17;  // three years
    const double product = static_cast<double>(time.count()) * factor;
    return std::chrono::nanoseconds{static_cast<std::int64_t>(std::min(product, most))};
}

PROCPOOL_DECL void UsualTime::add(std::size_t items, std::chrono::nanoseconds elapsed) noexcept {
    if (items == 0) { return; }
    samples_[count_++ % most] = static_cast<double>(elapsed.count()) / static_cast<double>(items);
}

PROCPOOL_DECL std::chrono::nanoseconds UsualTime::of(std::size_t items) const noexcept {
    const std::size_t known = std::min(count_, most);
    if (known == 0) { return {}; }
    std::array<double, most> sorted = samples_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(known / 2);
    std::nth_element(sorted.begin(), middle, sorted.begin() + static_cast<std::ptrdiff_t>(known));
    return std::max(std::chrono::nanoseconds{scaled(std::chrono::nanoseconds{1}, *middle * static_cast<double>(items))},
                    std::chrono::nanoseconds{1});
}

PROCPOOL_DECL Clock::duration Hedges::limit_of(const InFlightChunk& chunk) const noexcept {
    const auto usual = usual_.of(static_cast<std::size_t>(chunk.head.count - chunk.head.skip));
    if (usual.count() == 0) { return {}; }
    return std::max<Clock::duration>(scaled(usual, factor_), shortest_limit);
}

/// Nobody tells when a chunk begins. It has begun between two looks at it: at the earlier one, but no longer ago than a
/// chunk takes, since the one before the later look may be long past, as where a consumer takes its time.
PROCPOOL_DECL void Hedges::watch(InFlightChunk& chunk, Clock::time_point now) const {
    if (chunk.hedge == nullptr) { chunk.hedge = std::make_unique<Hedge>(Hedge{.since = now}); }
    Hedge& hedge = *chunk.hedge;
    if (hedge.has_started) { return; }
    if (chunk.task.is_running()) {
        const auto usual = usual_.of(static_cast<std::size_t>(chunk.head.count - chunk.head.skip));
        hedge.since = std::max(hedge.since, now - std::chrono::duration_cast<Clock::duration>(usual));
        hedge.has_started = true;
    } else {
        hedge.since = now;
    }
}

PROCPOOL_DECL InFlightChunk* Hedges::find(std::vector<InFlightChunk>& chunks, std::size_t workers, bool may_hedge) {
    next_ = Deadline::never();
    const Clock::time_point now = Clock::now();
    std::size_t runs = 0;
    bool is_something_decided = false;
    for (InFlightChunk& chunk : chunks) {
        watch(chunk, now);
        is_something_decided |= chunk.is_decided();
        runs += chunk.hedge->is_submitted() ? 2 : 1;
    }
    if (!may_hedge || is_something_decided || runs >= workers) { return nullptr; }
    InFlightChunk* longest = nullptr;
    for (InFlightChunk& chunk : chunks) {
        Hedge& hedge = *chunk.hedge;
        const Clock::duration limit = limit_of(chunk);
        if (hedge.is_over || hedge.is_submitted() || limit.count() == 0) { continue; }
        if (!hedge.has_started) {  // it is looked at more and more rarely: other calls may keep it from beginning
            hedge.next_look = hedge.next_look.count() == 0 ? limit / 2 : 2 * std::min(hedge.next_look, limit * 16);
            next_ = next_.or_sooner(Deadline{now + hedge.next_look});
        } else if (now - hedge.since < limit) {
            next_ = next_.or_sooner(Deadline{hedge.since + limit});
        } else if (longest == nullptr || hedge.since < longest->hedge->since) {
            longest = &chunk;
        }
    }
    return longest;
}

PROCPOOL_DECL void Hedges::submitted(InFlightChunk& chunk, client::Client& client, client::Ticket ticket) {
    chunk.hedge->task = TaskHandle{client, ticket};
    chunk.hedge->ticket = ticket;
}

PROCPOOL_DECL void Hedges::postpone(InFlightChunk& chunk) noexcept { chunk.hedge->since = Clock::now(); }

PROCPOOL_DECL void Hedges::learn(const InFlightChunk& chunk, std::span<const std::byte> result) noexcept {
    ChunkReport report{};
    if (result.size() < sizeof report) { return; }
    std::memcpy(&report, result.data(), sizeof report);
    if (!report.is_credible(chunk.head, result.size())) { return; }
    usual_.add(static_cast<std::size_t>(report.completed - chunk.head.skip),
               std::chrono::nanoseconds{std::min<std::uint64_t>(report.nanoseconds, INT64_MAX)});
}

PROCPOOL_DECL void Hedges::lose(TaskHandle&& task) {
    task.set_observed();
    task.cancel();
    lost_.push_back(std::move(task));
}

PROCPOOL_DECL void Hedges::lose_all(std::vector<InFlightChunk>& chunks) {
    for (InFlightChunk& chunk : chunks) {
        if (chunk.hedge != nullptr && chunk.hedge->is_submitted()) { lose(std::move(chunk.hedge->task)); }
    }
}

PROCPOOL_DECL void Hedges::kill_lost() {
    for (const TaskHandle& task : lost_) { task.kill(); }
}

PROCPOOL_DECL bool Hedges::has_decided_lost() const {
    return std::any_of(lost_.begin(), lost_.end(), [](const TaskHandle& task) { return task.is_decided(); });
}

PROCPOOL_DECL bool Hedges::forget_decided_lost() {
    std::erase_if(lost_, [](const TaskHandle& task) { return task.is_decided(); });
    return !lost_.empty();
}

PROCPOOL_DECL void Hedges::add_readers(const std::vector<InFlightChunk>& chunks, const client::Client& client,
                                       std::vector<client::Ticket>& readers) const {
    const auto add = [&](const TaskHandle& task) {
        if (const auto ticket = task.ticket_of(client)) { readers.push_back(*ticket); }
    };
    for (const InFlightChunk& chunk : chunks) {
        if (chunk.hedge != nullptr) { add(chunk.hedge->task); }
    }
    for (const TaskHandle& task : lost_) { add(task); }
}

}  // namespace procpool::detail::map
