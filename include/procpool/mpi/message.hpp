// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Message: what the companion and the agents of other machines say to each other.

#include <procpool/core/config.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/task/slot.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace procpool::inline v0::detail::mpi {

/// Each rank lets the others hear from it that often, at least.
inline constexpr std::chrono::milliseconds beat_every{200};

enum class Kind : std::uint8_t {
    // of an agent
    hello,       ///< its machine is ready; text: host; bytes: the modules of its program
    done,        ///< a task is decided; text: its run's TraceRecord, where runs are observed; bytes: what it left
    given_back,  ///< a recalled task has not started, and will not
    log,         ///< bytes: a record of its program's
    trace,       ///< bytes: a TraceRecord, of anything but a run
    progress,    ///< count: the items of a chunk that are finished
    leaving,     ///< its pool cannot go on; text: why
    // of the companion
    welcome,  ///< count: the index of the machine's first worker
    refused,  ///< the machine is none of the pool's; text: why
    shared,   ///< count: the number of what tasks that follow refer to; bytes: it
    task,     ///< text: its label; numbers: of what it refers to; bytes: its arguments
    sent,     ///< large arguments, or what is shared, have been read while the machine was one of the pool's
    forget,   ///< count: the number of what no task that follows refers to; those before it may run for long
    recall,   ///< a task is wanted back, if it has not started
    cancel,   ///< a task is to be withdrawn, or asked to stop
    kill,     ///< a task is to end at once
    stop,     ///< the pool ends; count: its life; worker: 0 when the program has ended, too
    // of both
    bye,   ///< of an agent: its workers have ended, as they were told; of the companion: so have all others'
    beat,  ///< the sender is alive; count: the least level of records that the companion's program wants; generation:
           ///< how often the agent did not run for long, as it says, and as the companion has heard it
};

/// Begins each message; the text, the numbers and the bytes follow, these unless they are large.
struct Message {
    /// Bytes beyond this come in messages of their own, so that they are not copied.
    static constexpr std::size_t most_inline = std::size_t{32} << 10;

    Kind kind{};
    task::Phase phase{};
    Ending ending{};
    std::uint16_t attempt = 0;
    std::uint32_t slot = 0;  ///< with the generation, the name of a task
    std::uint32_t generation = 0;
    std::uint32_t worker = 0xffffffff;  ///< index on its machine of the one that a task is for, or was lost with
    std::int32_t pid = 0;
    ExitStatus status{};
    std::int32_t signal = 0;    ///< of a crash
    std::uint32_t numbers = 0;  ///< how many; of a crash, these are its frames
    std::uint32_t text_size = 0;
    std::uint64_t code = 0;  ///< its name, see os::CodeName
    std::int64_t timeout = 0;
    std::int64_t residence = 0;  ///< nanoseconds on its machine; of an agent's beat: since `echo` came there
    std::int64_t sent = 0;       ///< by the sender's steady clock, nanoseconds; 0: it does not say
    std::int64_t echo = 0;       ///< of an agent's beat: `sent` of the last one of the companion's
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    std::uint64_t excess = 0;  ///< bytes that a worker had which was killed for them

    [[nodiscard]] bool is_large() const noexcept {
        return bytes > most_inline && (kind == Kind::task || kind == Kind::done || kind == Kind::shared);
    }
};
static_assert(std::is_trivially_copyable_v<Message>);

/// A message that has been received.
class Received {
public:
    std::vector<std::byte> buffer;
    int from = 0;

    /// Effects: checks that the message is whole. Returns: whether it is.
    [[nodiscard]] bool open() noexcept {
        if (buffer.size() < sizeof head) { return false; }
        std::memcpy(&head, buffer.data(), sizeof head);
        const std::size_t inlined = head.is_large() ? 0 : static_cast<std::size_t>(head.bytes);
        return buffer.size() ==
               sizeof head + head.text_size + std::size_t{head.numbers} * sizeof(std::uint64_t) + inlined;
    }
    [[nodiscard]] std::string_view text() const noexcept {
        return {reinterpret_cast<const char*>(buffer.data()) + sizeof head, head.text_size};
    }
    [[nodiscard]] std::uint64_t number(std::size_t place) const noexcept {
        std::uint64_t value = 0;
        std::memcpy(&value, buffer.data() + sizeof head + head.text_size + place * sizeof value, sizeof value);
        return value;
    }
    /// Those that came with it.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return head.is_large() ? std::span<const std::byte>{}
                               : std::span{buffer}.last(static_cast<std::size_t>(head.bytes));
    }

    Message head{};
};

}  // namespace procpool::detail::mpi
