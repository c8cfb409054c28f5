// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Parcel: what a decided task left, once it is out of its slot. ParcelStore: parcels that nobody has asked for yet.

#include <procpool/client/failure.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/task/extents.hpp>
#include <procpool/task/slot.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::client {

/// Small results lie in it, larger ones on the heap; extents stay where they are and change their owner. Half a line,
/// since a program may leave a million of them.
class Parcel {
public:
    /// Nothing.
    Parcel() noexcept : kind_(Kind::nothing) {}
    Parcel(task::Phase phase, Ending ending) noexcept
        : kind_(Kind::in_place),
          small_size_(0),
          ending_(ending),
          phase_(phase) {}
    Parcel(task::Phase phase, std::unique_ptr<const Failure> failure) noexcept
        : rest_(const_cast<Failure*>(failure.get())),
          kind_(Kind::failure),
          ending_(failure.release()->ending),
          phase_(phase) {}

    /// Throws: SharedMemoryExhausted, std::bad_alloc. Requires: it holds no bytes.
    void copy(std::span<const std::byte> bytes) {
        std::byte* to = place_.data();
        if (bytes.size() <= place_.size()) {
            small_size_ = static_cast<std::uint8_t>(bytes.size());
        } else {
            os::own_budget.charge(bytes.size());  // a program may leave any number of results
            rest_ = to = new std::byte[bytes.size()];
            kind_ = Kind::heap;
            put_size(bytes.size());
        }
        if (!bytes.empty()) { std::memcpy(to, bytes.data(), bytes.size()); }
    }
    /// Requires: it holds no bytes.
    void adopt(task::Extents& extents, task::Extents::Run run, std::size_t size) noexcept {
        rest_ = &extents;
        kind_ = Kind::extents;
        put_size(size);
        std::memcpy(place_.data() + sizeof size, &run, sizeof run);
    }

    Parcel(Parcel&& other) noexcept { move(other); }
    Parcel& operator=(Parcel&& other) noexcept {
        if (this != &other) {
            clear();
            move(other);
        }
        return *this;
    }
    ~Parcel() { clear(); }

    [[nodiscard]] explicit operator bool() const noexcept { return kind_ != Kind::nothing; }
    [[nodiscard]] task::Phase phase() const noexcept { return phase_; }
    [[nodiscard]] Ending ending() const noexcept { return ending_; }
    /// Null when the task is done.
    [[nodiscard]] const Failure* failure() const noexcept {
        return kind_ == Kind::failure ? static_cast<const Failure*>(rest_) : nullptr;
    }
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        switch (kind_) {
            case Kind::in_place: return {place_.data(), small_size_};
            case Kind::heap: return {static_cast<const std::byte*>(rest_), size()};
            case Kind::extents: return {static_cast<task::Extents*>(rest_)->address(run()), size()};
            case Kind::nothing:
            case Kind::failure: break;
        }
        return {};
    }

private:
    enum class Kind : std::uint8_t { nothing, in_place, heap, extents, failure };

    void put_size(std::size_t size) noexcept { std::memcpy(place_.data(), &size, sizeof size); }
    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t size = 0;
        std::memcpy(&size, place_.data(), sizeof size);
        return size;
    }
    [[nodiscard]] task::Extents::Run run() const noexcept {
        task::Extents::Run run{};
        std::memcpy(&run, place_.data() + sizeof(std::size_t), sizeof run);
        return run;
    }

    void move(Parcel& other) noexcept {
        place_ = other.place_;
        rest_ = other.rest_;
        kind_ = std::exchange(other.kind_, Kind::nothing);
        small_size_ = other.small_size_;
        ending_ = other.ending_;
        phase_ = other.phase_;
    }
    void clear() noexcept {
        if (kind_ > Kind::in_place) { release(); }
        kind_ = Kind::nothing;
    }
    void release() noexcept {
        switch (kind_) {
            case Kind::heap: delete[] static_cast<std::byte*>(rest_); break;
            case Kind::extents: static_cast<task::Extents*>(rest_)->release(run()); break;
            case Kind::failure: delete static_cast<const Failure*>(rest_); break;
            case Kind::nothing:
            case Kind::in_place: break;
        }
    }

    std::array<std::byte, 16> place_;  // the bytes; of a larger result its size, and its run of extents
    void* rest_;                       // what the kind says
    Kind kind_;
    std::uint8_t small_size_;
    Ending ending_;
    task::Phase phase_;
};

static_assert(sizeof(Parcel) == 32);

/// Keeps parcels by the serial number of their task. Numbers come nearly in order, so neighbours share a page, and
/// there is one allocation for many parcels. Not thread-safe.
class ParcelStore {
public:
    /// Returns: where the parcel lies now. Requires: there is none with this number. Throws: std::bad_alloc.
    Parcel& add(std::uint64_t serial, Parcel&& parcel) {
        Page& page = page_of(serial / per_page);
        ++page.count;
        return page.parcels[serial % per_page] = std::move(parcel);
    }

    /// Returns: nothing if there is none with this number.
    [[nodiscard]] Parcel take(std::uint64_t serial) noexcept {
        const auto found = find(serial / per_page);
        if (found == pages_.end()) { return {}; }
        Page& page = *found->second;
        Parcel taken{std::move(page.parcels[serial % per_page])};
        if (taken && --page.count == 0) {
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
        std::array<Parcel, per_page> parcels;
    };
    using Pages = std::map<std::uint64_t, std::unique_ptr<Page>>;

    [[nodiscard]] Pages::iterator find(std::uint64_t number) noexcept {
        if (last_ == pages_.end() || last_->first != number) { last_ = pages_.find(number); }
        return last_;
    }
    [[nodiscard]] Page& page_of(std::uint64_t number) {
        if (find(number) == pages_.end()) {
            last_ = pages_.emplace(number, std::make_unique_for_overwrite<Page>()).first;
        }
        return *last_->second;
    }

    Pages pages_;
    Pages::iterator last_ = pages_.end();
};

}  // namespace procpool::detail::client
