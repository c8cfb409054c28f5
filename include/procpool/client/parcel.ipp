// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/parcel.hpp>

#include <procpool/os/memory.hpp>
#include <procpool/task/board.hpp>
#include <procpool/task/extents.hpp>
#include <procpool/task/slot.hpp>

#include <cstring>

namespace procpool::inline v0::detail::client {

/// Where a result lies that is not in the parcel: at the beginning of its place.
struct Elsewhere {
    std::size_t size;        // for a guest's the number of its slot
    task::Extents::Run run;  // where it lies in extents
};

PROCPOOL_DECL void Parcel::copy(std::span<const std::byte> bytes) {
    if (kind_ == Kind::failure) {
        static_cast<Failure*>(rest_)->results.assign(bytes.begin(), bytes.end());
        return;
    }
    std::byte* to = place_.data();
    if (bytes.size() <= place_.size()) {
        small_size_ = static_cast<std::uint8_t>(bytes.size());
    } else {
        os::own_budget.charge(bytes.size());  // a program may leave any number of results
        rest_ = to = new std::byte[bytes.size()];
        kind_ = Kind::heap;
        const Elsewhere where{bytes.size(), {}};
        std::memcpy(place_.data(), &where, sizeof where);
    }
    if (!bytes.empty()) { std::memcpy(to, bytes.data(), bytes.size()); }
}

PROCPOOL_DECL void Parcel::adopt(task::Extents& extents, std::uint32_t first, std::uint32_t count,
                                 std::size_t size) noexcept {
    rest_ = &extents;
    kind_ = Kind::extents;
    const Elsewhere where{size, {first, count}};
    static_assert(sizeof where <= sizeof place_);
    std::memcpy(place_.data(), &where, sizeof where);
}

PROCPOOL_DECL Parcel Parcel::clone() const {
    if (const Failure* const known = failure()) { return {phase_, std::make_unique<const Failure>(*known)}; }
    Parcel other{phase_, ending_};
    other.copy(bytes());
    return other;
}

PROCPOOL_DECL void Parcel::refer(task::Board& board, std::uint32_t slot) noexcept {
    rest_ = &board;
    kind_ = Kind::guest;
    const Elsewhere where{slot, {}};
    std::memcpy(place_.data(), &where, sizeof where);
}

PROCPOOL_DECL std::span<const std::byte> Parcel::bytes_elsewhere() const noexcept {
    Elsewhere where{};
    std::memcpy(&where, place_.data(), sizeof where);
    switch (kind_) {
        case Kind::heap: return {static_cast<const std::byte*>(rest_), where.size};
        case Kind::extents: return {static_cast<task::Extents*>(rest_)->address(where.run), where.size};
        case Kind::failure: return static_cast<const Failure*>(rest_)->results;
        case Kind::guest:
            return static_cast<task::Board*>(rest_)->results.payload(static_cast<std::uint32_t>(where.size));
        case Kind::in_place:
        case Kind::nothing: break;
    }
    return {};
}

PROCPOOL_DECL void Parcel::release() noexcept {
    Elsewhere where{};
    switch (kind_) {
        case Kind::heap: delete[] static_cast<std::byte*>(rest_); break;
        case Kind::extents:
            std::memcpy(&where, place_.data(), sizeof where);
            static_cast<task::Extents*>(rest_)->release(where.run);
            break;
        case Kind::failure: delete static_cast<const Failure*>(rest_); break;
        case Kind::guest: {
            std::memcpy(&where, place_.data(), sizeof where);
            auto& board = *static_cast<task::Board*>(rest_);
            reach(FaultPoint::guest_read);
            board.guests.give_back(board.results, static_cast<std::uint32_t>(where.size));
            break;
        }
        case Kind::nothing:
        case Kind::in_place: break;
    }
}

}  // namespace procpool::detail::client
