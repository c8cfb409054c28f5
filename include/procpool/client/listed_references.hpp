// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The memory that a task's arguments refer to, as a companion learns of it, and as workers find it.

#include <procpool/client/reference.hpp>
#include <procpool/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace procpool::inline v0 {
class Writer;
}

namespace procpool::inline v0::detail::task {
class Board;
}

namespace procpool::inline v0::detail::client {

class Client;
class Encoding;

/// Returns: where the bytes are for a worker of that board, whose task refers to them: on other machines they lie where
/// the agent has copied what rank 0 has sent. Throws: CodecError when they are not there.
[[nodiscard]] std::span<const std::byte> bytes_here(const task::Board& board, const Reference& reference);

/// Effects: lists, behind a task's arguments, what they refer to. Throws: SharedMemoryExhausted. Called by: the thread
/// that has encoded them, where there is a companion.
void list_references(Writer& out, Client& client, const Encoding& arguments);

/// Returns: StoredValue::reference_for() of a value that arguments for that client refer to.
[[nodiscard]] Reference reference_of(const void* value, const Client& client);

/// Returns: what was listed, each once. Requires: the slot's Issue says that there is a list. Throws: Error when a task
/// has written there; what is returned can be read until the task has been decided. Called by: companion.
[[nodiscard]] std::vector<Reference> listed_references(const task::Board& board, std::uint32_t slot);

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/listed_references.ipp>
#endif
