// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Companion: has tasks of the board run on other machines. It is rank 0 of the MPI job.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/mpi_options.hpp>
#include <procpool/log/announcer.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/log/report.hpp>
#include <procpool/mpi/clock_offset.hpp>
#include <procpool/mpi/far_runs.hpp>
#include <procpool/mpi/message.hpp>
#include <procpool/mpi/rest.hpp>
#include <procpool/mpi/sent_memory.hpp>
#include <procpool/mpi/table.hpp>
#include <procpool/mpi/wire.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/casualties.hpp>
#include <procpool/worker/companion.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace procpool::inline v0::detail::mpi {

inline constexpr std::chrono::milliseconds look_every{1};

/// A machine is a seat, which has as many tasks started as the machine has been sent; its loss is the death of that
/// seat. The first seat is the companion's own: it has no tasks, and its parker is where the companion sleeps. What an
/// agent says counts only for tasks that its machine has: a late answer for a slot that has another task by now names
/// another generation.
class Companion final : public worker::Companion {
public:
    /// ranks: as the launcher has said. most_workers: on other machines, all together.
    Companion(Table& table, const MpiOptions& options, int ranks, std::uint32_t most_workers) noexcept
        : table_(table),
          options_(options),
          ranks_(ranks),
          most_workers_(most_workers) {}

    void run(task::Board& board) override;
    void ended() noexcept override;
    [[nodiscard]] std::string_view host_of(std::uint32_t node) const noexcept override {
        return node < table_.nodes().size() ? task::text_within(table_.nodes()[node].host) : std::string_view{};
    }

private:
    using Time = Clock::time_point;
    using nanoseconds = std::chrono::nanoseconds;

    /// A task that a machine has.
    struct Flight {
        std::uint32_t generation = 0;
        int node = 0;             ///< 0: none has it
        std::uint32_t place = 0;  ///< in its machine's list
        Time sent{};
        bool is_cancelled = false;  ///< these three: its machine has been told
        bool is_killed = false;
        bool is_recalled = false;
        bool is_mailed = false;
    };
    struct Node {
        NodeState state = NodeState::expected;
        std::uint32_t workers = 0;
        std::uint32_t capacity = 0;  ///< tasks that it can take at a time
        std::uint32_t first_index = 0;
        std::vector<std::uint32_t> held{};  ///< slots of the tasks that it has
        std::uint32_t recalled = 0;         ///< of these
        std::uint32_t mailed = 0;           ///< of them, those for one worker, which are sent whatever there is
        Time heard{};
        ClockOffset clock{};
        LogLevel told_level = LogLevel::off;  ///< that records are wanted from
        std::uint32_t gaps = 0;               ///< as its beats say
        double round_trip = 0;                ///< nanoseconds, the mean of late; 0: not known
        double task_time = 0;                 ///< likewise, of a task
    };
    /// An answer whose bytes are on their way.
    struct Incoming {
        Received message;
        LargeBytes bytes;
    };

    [[nodiscard]] task::Board& board() noexcept { return *board_; }
    [[nodiscard]] task::Life life() const noexcept { return board_->control.life.load(std::memory_order_seq_cst); }
    [[nodiscard]] std::uint32_t seat_of(int node) const noexcept {
        return board_->workers_seats() + static_cast<std::uint32_t>(node);
    }
    [[nodiscard]] bool serves(int node) const noexcept {
        return nodes_[static_cast<std::size_t>(node)].state == NodeState::serves;
    }
    [[nodiscard]] NodeRecord& record(int node) noexcept { return table_.nodes()[static_cast<std::size_t>(node)]; }
    [[nodiscard]] log::LogSubject subject() const noexcept { return {.pool = board_->control.name.data()}; }

    // ---- start
    void greet(Received& hello);
    void refuse(int node, const std::string& why);
    /// Effects: gives the machines their indexes, when all have said hello or their time is over.
    void end_start();

    // ---- tasks
    bool ship();
    bool ship_mail();
    /// Returns: a machine that may have one more task, the one with the fewest for its size; 0 when there is none.
    [[nodiscard]] int least_loaded() const noexcept;
    [[nodiscard]] std::uint32_t window_of(const Node& node) const noexcept;
    void send(task::Claim claim, int node);
    /// Effects: the machine has what the task refers to, before it gets the task. Returns: the numbers. Throws: Error
    /// when a task has written there.
    [[nodiscard]] std::vector<std::uint64_t> share(std::uint32_t slot, int node);
    /// Effects: machines forget what the program has given up.
    void forget_shared();
    /// Returns: the flight that an answer is about, if it is not late.
    [[nodiscard]] Flight* flight_of(const Received& message) noexcept;
    void land(std::uint32_t slot) noexcept;

    // ---- answers
    bool receive();
    bool finish_incoming();
    void hear_again(int rank);
    void take(Received& message);
    void finish(const Received& message, std::span<const std::byte> bytes);
    /// Effects: settles a task that the machine has no more, whichever worker of it had it.
    void settle(std::uint32_t slot, int rank, Ending ending) noexcept;
    [[nodiscard]] FarRuns::Machine machine_of(int rank) const noexcept {
        const Node& node = nodes_[static_cast<std::size_t>(rank)];
        return {rank, node.first_index, node.clock};
    }
    void give_back(std::uint32_t slot);
    [[nodiscard]] bool offer_again(std::uint32_t slot) noexcept;
    void withdraw(std::uint32_t slot) noexcept;
    [[nodiscard]] bool is_asked_to_stop(std::uint32_t slot) noexcept;
    /// Effects: the bytes are the task's result. Throws: SharedMemoryExhausted.
    void store(task::Claim claim, std::span<const std::byte> bytes);
    void end_in_exception(task::Claim claim, int node, const std::exception_ptr& error);

    // ---- what comes by the clock
    void send_beat(int rank);
    void look_around(Time now);
    void tell_wishes(bool all);
    void recall();
    void lose(int node, std::string_view why);
    void break_if_none_is_left() noexcept;
    void pause();

    // ---- end
    [[nodiscard]] bool is_done();
    void tell_end(task::Life how);
    [[nodiscard]] bool has_program_ended() const noexcept;
    void leave();

    Table& table_;
    const MpiOptions options_;
    const int ranks_;
    const std::uint32_t most_workers_;
    task::Board* board_ = nullptr;
    std::optional<Wire> wire_;
    std::optional<log::Announcer> announcer_;
    std::optional<worker::Casualties> casualties_;
    std::vector<Node> nodes_;
    std::vector<Flight> flights_;  // by slot
    std::deque<Incoming> incoming_;
    SentMemory sent_;
    std::vector<std::uint32_t> returned_;  // slots of tasks that wait for a place in the queue
    std::size_t flying_ = 0;
    std::optional<FarRuns> runs_;
    Rest rest_;
    Time looked_{};
    Time beaten_{};
    Time begun_{};
    Time for_others_until_{};         // no machine gets more than its workers can run
    std::optional<task::Life> told_;  // the pool's end, where it has been told
    bool has_started_ = false;
    bool has_mail_ = true;       // maybe
    bool is_relied_on_ = false;  // a submitter may have woken it, and none of the workers
    bool has_lost_ = false;
};

}  // namespace procpool::detail::mpi

#include <procpool/mpi/companion_watch.hpp>

#include <procpool/mpi/companion.ipp>
