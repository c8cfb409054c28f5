// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Agent: runs the companion's tasks on the workers of its own machine.

#include <procpool/client/client.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/mpi_options.hpp>
#include <procpool/log/trace.hpp>
#include <procpool/mpi/log_forward.hpp>
#include <procpool/mpi/message.hpp>
#include <procpool/mpi/rest.hpp>
#include <procpool/mpi/sent_memory.hpp>
#include <procpool/mpi/wire.hpp>
#include <procpool/task/machine.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::mpi {

/// A rank other than 0: the launched process itself, which has forked its pool's supervisor before it initialises MPI.
/// Tasks come as bytes and answers go as bytes; nothing is decoded here, and no code of the user's runs.
class Agent {
public:
    /// client: with its crew. machine: that of its workers. ranks: as the launcher has said.
    Agent(client::Client& client, task::Machine& machine, const MpiOptions& options, int ranks) noexcept
        : client_(client),
          machine_(machine),
          options_(options),
          ranks_(ranks) {}

    /// Effects: serves until the companion ends the pool, or falls silent; then the program ends.
    [[noreturn]] void serve();

private:
    using Time = Clock::time_point;

    /// A task that has come, or is coming; or what tasks refer to; or that this may go.
    struct Arrival {
        Received message;
        std::optional<LargeBytes> bytes;
        bool is_right = true;      ///< the bytes are what the task had when it was sent
        std::optional<Kind> wish;  ///< that it be recalled, cancelled or killed

        [[nodiscard]] bool is_named_by(const Message& head) const noexcept {
            const Message& own = message.head;
            return own.slot == head.slot && own.generation == head.generation &&
                   (own.kind == Kind::task || own.count == head.count);
        }
    };
    struct Task {
        std::uint32_t slot;  ///< with the generation: its name
        std::uint32_t generation;
        client::Ticket ticket;
        Time came;
        std::size_t before;                                ///< tasks that were here when it came
        std::vector<std::shared_ptr<FarMemory>> shared{};  ///< what it refers to
        std::uint64_t items = 0;                           ///< of it, that the companion knows to be finished
        bool is_decided = false;
    };

    void say_hello();
    bool receive();
    bool submit_arrivals();
    void drop_arrivals();
    /// Returns: the task, or what is shared, that a message is about; null if it is not on its way.
    [[nodiscard]] Arrival* find_arrival(const Message& about) noexcept;
    [[nodiscard]] bool is_in_doubt();
    [[nodiscard]] bool submit(const Received& message, std::span<const std::byte> arguments);
    /// Returns: what a task refers to, on the board. Throws: SharedMemoryExhausted; CodecError when it has not come.
    [[nodiscard]] std::vector<std::shared_ptr<FarMemory>> find_shared(const Received& task);
    void share(Arrival&& arrival);
    bool answer();
    void answer(const Task& task);
    void say(Kind kind, const Received& about, Ending ending);
    void obey(const Received& message);
    void fulfil(const Received& wish);
    void send_log();
    void send_beat(Time now);
    void send_progress();
    /// Effects: takes what is new in this machine's trace. Events go out; runs wait for the answers of their tasks.
    void read_trace();
    void look_around(Time now);
    void end_with_root() noexcept;
    void leave();

    client::Client& client_;
    task::Machine& machine_;
    const MpiOptions options_;
    const int ranks_;
    std::optional<Wire> wire_;
    std::deque<Arrival> arrivals_;
    std::list<Task> tasks_;                                                 // in the order in which they were submitted
    std::unordered_map<std::uint64_t, std::shared_ptr<FarMemory>> shared_;  // by numbers
    LogForward log_;
    log::TraceReader trace_;
    std::unordered_map<std::uint64_t, log::TraceRecord> runs_;  // by the numbers that their tasks have here
    std::int64_t last_beat_ = 0;                                // of the companion's: when it was sent, by its clock
    Time last_beat_came_{};
    Rest rest_;
    Time heard_{};
    Time looked_{};
    Time beaten_{};
    std::optional<task::Life> told_;  // the pool's end, where it has been told
    bool is_out_ = false;             // it takes no part any more
    bool has_program_ended_ = false;  // that of rank 0
    bool may_go_ = false;             // all machines have ended
    std::uint32_t gaps_ = 0;          // times in which this process did not run for long
    bool is_in_doubt_ = false;        // the companion has not answered since the last one
};

}  // namespace procpool::detail::mpi

#include <procpool/mpi/agent.ipp>
