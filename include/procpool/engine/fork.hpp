// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ForkCrew: runs tasks in worker processes, forked by a supervisor process of the pool's own.

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/life_line.hpp>
#include <procpool/os/process.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/setup.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace procpool::inline v0::detail::engine {

/// The meaning of an address in an argument for the workers.
[[nodiscard]] codec::Visibility place_for_workers(const void* address);

/// Makes the objects that must exist before workers are forked. Throws: std::logic_error in a worker of the deepest
/// pool there may be: a task that builds a pool for itself must not end in as many processes as the system can hold.
void prepare_to_fork();

class ForkCrew final : public client::Crew {
public:
    /// Effects: forks the supervisor, and returns when it has forked all workers.
    /// Throws: std::system_error when a process cannot be had; no process is left then.
    ForkCrew(client::Client& client, worker::Setup setup);

    PROCPOOL_DECL ~ForkCrew() override;

    PROCPOOL_DECL void ring() noexcept override;
    [[nodiscard]] bool can_kill() const noexcept override { return true; }

    [[nodiscard]] PROCPOOL_DECL bool has_ended() noexcept override;

    PROCPOOL_DECL bool join(Deadline deadline) override;

    /// The supervisor cannot fork memory that it does not see, so it is replaced too: the old one leaves when its
    /// workers have, and the board is the next one's from then on. Never two at a time: a seat, the deadlines and the
    /// bell have one supervisor.
    PROCPOOL_DECL void refork() override;
    PROCPOOL_DECL void resize(std::uint32_t workers) override;

private:
    using Supervisor = std::shared_ptr<const os::Child>;

    /// While it lives, no thread asks whether the supervisor has ended.
    class Change {
    public:
        explicit Change(ForkCrew& crew) : crew_(crew) { step(); }
        Change(const Change&) = delete;
        Change& operator=(const Change&) = delete;
        ~Change() { step(); }

    private:
        void step() {
            {
                const std::lock_guard guard{crew_.mutex_};
                ++crew_.changes_;
            }
            crew_.changed_.notify_all();
        }
        ForkCrew& crew_;
    };

    [[nodiscard]] static bool is_reforking(std::uint64_t changes) noexcept { return changes % 2 == 1; }
    [[nodiscard]] std::pair<Supervisor, std::uint64_t> current();
    void replace(Supervisor supervisor);

    [[nodiscard]] Supervisor start();

    void wait_for_start(const os::Child& supervisor);

    client::Client& client_;
    task::Board& board_;
    worker::Setup setup_;
    os::LifeLine::Lease line_;
    os::Event bell_;                 // raised and written under mutex_
    std::atomic<bool> told_{false};  // that the program has closed it
    std::mutex reforking_;
    std::mutex mutex_;
    std::condition_variable changed_;
    Supervisor supervisor_;                  // written under mutex_
    std::atomic<std::uint64_t> changes_{0};  // written under mutex_
    std::atomic<bool> reaped_{false};        // set under mutex_ or while is_reforking()
};

}  // namespace procpool::detail::engine

#if PROCPOOL_BODIES
#include <procpool/engine/fork.ipp>
#endif
