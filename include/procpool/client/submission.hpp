// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Submission: a task as a client gets it, without its payload. submit(): hands it over, for code that knows the task's
/// types and not the Client.

#include <procpool/client/ticket.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/function_ref.hpp>
#include <procpool/worker/state.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace procpool::inline v0::detail {

struct TaskFrame;
using TaskCode = void (*)(TaskFrame&);

namespace client {

class Client;
class Unobserved;

enum class Patience { wait, try_once };

/// A task without its payload.
struct Submission {
    TaskCode code = nullptr;
    Patience patience = Patience::wait;
    std::chrono::nanoseconds timeout{0};  ///< 0: none
    std::uint32_t retries = 0;
    std::uint16_t attempt = 0;  ///< runs of it before; counts where it has a timeout or retries
    int priority = 0;
    std::string_view label = {};
    bool plain = false;                  ///< encoding is a copy of bytes, so the mutex may stay locked
    bool keeps_slot = false;             ///< until its result is taken; its submitter must not wait for slots then
    std::uint32_t waiter = no_waiter;    ///< called when the task is decided
    std::uint32_t worker = any_worker;   ///< index of the one that runs it, before all that is in the queue
    bool accepted_before_close = false;  ///< part of a call that keeps the pool open: see Client::keep_open()
    bool by_own_task = false;            ///< accepted_before_close too, as long as tasks are finished

    static constexpr std::uint32_t no_waiter = 0xffffffff;
    static constexpr std::uint32_t any_worker = 0xffffffff;
};

/// Writes the payload of a task.
using Encode = core::FunctionRef<void(Writer&)>;

/// How long a call over many items keeps its pool open after close().
enum class OpenUntil {
    released,
    returned,  ///< likewise, by a call that its caller waits in
    joined
};

/// Effects: as Client::submit().
[[nodiscard]] std::optional<Ticket> submit(Client& client, const Submission& submission, Encode encode);
/// Effects: as Client::check_code().
void check_code(const Client& client, std::uintptr_t address);
/// Returns: as Client::is_newer_than_workers().
[[nodiscard]] bool is_newer_than_workers(const Client& client, const void* address);
/// Returns: as Client::place_of().
[[nodiscard]] codec::VisibilityOf place_of(const Client& client) noexcept;
/// Returns: as Client::state_type().
[[nodiscard]] const worker::StateType& state_type_of(const Client& client) noexcept;
/// Whether tasks share the memory of the client's process.
[[nodiscard]] bool shares_memory(const Client& client) noexcept;
/// Returns: as Client::unobserved().
[[nodiscard]] const std::shared_ptr<Unobserved>& unobserved_of(const Client& client) noexcept;

}  // namespace client

}  // namespace procpool::detail

#if PROCPOOL_BODIES
#include <procpool/client/client.hpp>
#endif
