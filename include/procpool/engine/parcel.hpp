// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Parcel: what a decided task left, once it is out of its slot. ParcelStore: parcels that nobody has asked for yet.

#include <procpool/core/exit_status.hpp>
#include <procpool/task/extents.hpp>
#include <procpool/task/seat.hpp>
#include <procpool/task/slot.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace procpool::engine {

/// Why a task has no result.
struct Loss {
    task::Cause cause{};
    std::int32_t pid = 0;
    ExitStatus exit_status{};
    std::chrono::nanoseconds timeout{};
    std::string label;
    task::Crash crash{};
};

/// Small results lie in it, larger ones on the heap; extents stay where they are and change their owner.
class Parcel {
public:
    Parcel() noexcept = default;
    Parcel(task::Phase phase, task::Outcome outcome, std::unique_ptr<const Loss> loss) noexcept
        : phase_(phase), outcome_(outcome), loss_(std::move(loss)) {}

    /// Throws: std::bad_alloc.
    void copy(std::span<const std::byte> bytes) {
        size_ = bytes.size();
        if (size_ > small_.size()) { heap_ = std::make_unique_for_overwrite<std::byte[]>(size_); }
        if (size_ != 0) { std::memcpy(heap_ ? heap_.get() : small_.data(), bytes.data(), size_); }
    }
    void adopt(task::Extents& extents, task::Extents::Run run, std::size_t size) noexcept {
        extents_ = &extents;
        size_ = size;
        std::memcpy(small_.data(), &run, sizeof run);
    }

    Parcel(Parcel&& other) noexcept
        : small_(other.small_), heap_(std::move(other.heap_)), extents_(std::exchange(other.extents_, nullptr)), size_(other.size_),
          phase_(other.phase_), outcome_(other.outcome_), loss_(std::move(other.loss_)) {}
    Parcel& operator=(Parcel&&) = delete;
    ~Parcel() {
        if (extents_ != nullptr) { extents_->release(run()); }
    }

    [[nodiscard]] task::Phase phase() const noexcept { return phase_; }
    [[nodiscard]] task::Outcome outcome() const noexcept { return outcome_; }
    /// Null unless the task is lost or cancelled.
    [[nodiscard]] const Loss* loss() const noexcept { return loss_.get(); }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        if (extents_ != nullptr) { return {extents_->address(run()), size_}; }
        return {heap_ ? heap_.get() : small_.data(), size_};
    }

private:
    [[nodiscard]] task::Extents::Run run() const noexcept {
        task::Extents::Run run{};
        std::memcpy(&run, small_.data(), sizeof run);
        return run;
    }

    std::array<std::byte, 16> small_;
    std::unique_ptr<std::byte[]> heap_;
    task::Extents* extents_ = nullptr;
    std::size_t size_ = 0;
    task::Phase phase_{};
    task::Outcome outcome_{};
    std::unique_ptr<const Loss> loss_;
};

/// Keeps parcels by the serial number of their task. Numbers come nearly in order, so neighbours share a page, and there is one
/// allocation for many parcels. Not thread-safe.
class ParcelStore {
public:
    /// Returns: where the parcel lies now. Requires: there is none with this number. Throws: std::bad_alloc.
    Parcel& add(std::uint64_t serial, Parcel parcel) {
        Page& page = page_of(serial / per_page);
        ++page.count;
        return page.parcels[serial % per_page].emplace(std::move(parcel));
    }

    [[nodiscard]] std::optional<Parcel> take(std::uint64_t serial) noexcept {
        const auto found = find(serial / per_page);
        if (found == pages_.end()) { return std::nullopt; }
        Page& page = *found->second;
        std::optional<Parcel>& place = page.parcels[serial % per_page];
        if (!place) { return std::nullopt; }
        std::optional<Parcel> taken{std::move(*place)};
        place.reset();
        if (--page.count == 0) {
            pages_.erase(found);
            last_ = pages_.end();
        }
        return taken;
    }

    [[nodiscard]] bool empty() const noexcept { return pages_.empty(); }

private:
    static constexpr std::size_t per_page = 256;
    struct Page {
        std::size_t count = 0;
        std::array<std::optional<Parcel>, per_page> parcels;
    };
    using Pages = std::map<std::uint64_t, std::unique_ptr<Page>>;

    [[nodiscard]] Pages::iterator find(std::uint64_t number) noexcept {
        if (last_ == pages_.end() || last_->first != number) { last_ = pages_.find(number); }
        return last_;
    }
    [[nodiscard]] Page& page_of(std::uint64_t number) {
        if (find(number) == pages_.end()) { last_ = pages_.emplace(number, std::make_unique<Page>()).first; }
        return *last_->second;
    }

    Pages pages_;
    Pages::iterator last_ = pages_.end();
};

}  // namespace procpool::engine
