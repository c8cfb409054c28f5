// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Parcel: the result of a decided task, once it is out of its slot.

#include <procpool/client/failure.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::task {
class Board;
class Extents;
enum class Phase : std::uint32_t;
}  // namespace procpool::detail::task

namespace procpool::inline v0::detail::client {

/// Small results lie in it, larger ones on the heap; extents stay where they are and change their owner. Half a line,
/// since a program may leave a million of them.
class Parcel {
public:
    /// Makes an empty parcel.
    Parcel() noexcept : place_{}, rest_(nullptr), kind_(Kind::nothing), small_size_(0), ending_{}, phase_{} {}
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
    void copy(std::span<const std::byte> bytes);
    /// Requires: it holds no bytes.
    void adopt(task::Extents& extents, std::uint32_t first, std::uint32_t count, std::size_t size) noexcept;

    /// Returns: another one with the same. Throws: as copy(). Requires: it is no guest's.
    [[nodiscard]] Parcel clone() const;

    /// Effects: the bytes stay in the slot of a guest, which is free when the parcel goes. Requires: it holds no bytes.
    void refer(task::Board& board, std::uint32_t slot) noexcept;

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
        return kind_ == Kind::in_place ? std::span{place_.data(), small_size_} : bytes_elsewhere();
    }

private:
    enum class Kind : std::uint8_t { nothing, in_place, heap, extents, failure, guest };

    [[nodiscard]] std::span<const std::byte> bytes_elsewhere() const noexcept;
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
    void release() noexcept;

    std::array<std::byte, 16> place_;  // the bytes; of a larger result its size, and its run of extents
    void* rest_;                       // as the kind says
    Kind kind_;
    std::uint8_t small_size_;
    Ending ending_;
    task::Phase phase_;
};

static_assert(sizeof(Parcel) == 32);

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/parcel.ipp>
#endif
