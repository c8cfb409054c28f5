// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Dependency: a task whose result is an argument of another one, and how that one's arguments name it.

#include <procpool/client/parcel.hpp>
#include <procpool/client/ticket.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/function_ref.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>

namespace procpool::inline v0::detail::client {

/// How arguments name the result of another task: first a byte of these.
enum class ResultAt : std::uint8_t {
    slot,   ///< its slot, 32 bits, and the low half of its number, 32 bits
    here,   ///< the size, 64 bits, and the bytes of the value
    error,  ///< likewise, of the exception that the dependent task ends in
    all,    ///< how many results, 64 bits, and each of them in this way: see when_all()
};

/// A task that another one is to wait for, of the same client.
struct Dependency {
    Ticket ticket{};
    std::uint32_t edge = 0;  ///< while its result is in its slot: see task::Edge
    Parcel kept = {};        ///< what it has left, where that is not in its slot
};

/// The outcome of a submission: nothing of it where there was no room.
struct Submitted {
    std::optional<Ticket> ticket = {};
    std::exception_ptr error = nullptr;  ///< a dependency was cancelled; nothing is submitted
    bool has_too_many = false;           ///< more dependencies than there is room for; likewise
};

/// Writes the payload of a task; write(i) writes where the result of dependency i is.
using WriteDependency = core::FunctionRef<void(std::size_t)>;
using EncodeLinked = core::FunctionRef<void(Writer&, WriteDependency)>;

}  // namespace procpool::detail::client
