// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Taken: a decided task's result.

#include <procpool/client/parcel.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <utility>

namespace procpool::inline v0::detail::client {

class Client;

/// The result lies where it was left; its memory is given back with this object.
class Taken {
public:
    /// slot: in_parcel when the result had to leave its slot.
    Taken(Client& client, codec::VisibilityOf where, std::uint32_t slot, Parcel&& parcel) noexcept
        : client_(&client),
          place_of_(where),
          slot_(slot),
          parcel_(std::move(parcel)) {}
    /// Of a guest: where it lies is the parcel's affair.
    Taken(codec::VisibilityOf where, Parcel&& parcel) noexcept
        : client_(nullptr),
          place_of_(where),
          slot_(in_parcel),
          parcel_(std::move(parcel)) {}
    Taken(Taken&& other) noexcept
        : client_(std::exchange(other.client_, nullptr)),
          place_of_(other.place_of_),
          slot_(other.slot_),
          parcel_(std::move(other.parcel_)) {}
    Taken& operator=(Taken&&) = delete;
    [[gnu::always_inline]] ~Taken() {
        if (client_ != nullptr && slot_ != in_parcel) { give_back(); }
    }

    [[nodiscard]] task::Phase phase() const noexcept { return parcel_.phase(); }
    /// Returns: how the task ended. For a task that is done, all but `exception` counts as a value.
    [[nodiscard]] Ending ending() const noexcept { return parcel_.ending(); }
    /// Null when the task is done.
    [[nodiscard]] const Failure* failure() const noexcept { return parcel_.failure(); }
    /// Returns: the exception of a task that is not done. item: which one of its call was lost, where it is one.
    [[nodiscard]] std::exception_ptr error(std::optional<std::size_t> item = {}) const;
    /// Throws: the exception that the task ended with; nothing if it ended with a value.
    void require_value() const;
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept;
    /// Returns: a Reader of the result's bytes.
    [[nodiscard, gnu::always_inline]] Reader reader() const noexcept { return Reader{bytes(), place_of_}; }
    /// Returns: the task's encoded arguments, if they stayed in its slot.
    [[nodiscard]] std::span<const std::byte> arguments() const noexcept;

    static constexpr std::uint32_t in_parcel = 0xffffffff;

private:
    void give_back() noexcept;

    Client* client_;
    codec::VisibilityOf place_of_;
    std::uint32_t slot_;
    Parcel parcel_;
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/client.hpp>
#endif
