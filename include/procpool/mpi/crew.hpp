// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// MpiCrew: the workers of all machines of an MPI job, as the client on rank 0 sees them.

#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/mpi_options.hpp>
#include <procpool/engine/engine.hpp>
#include <procpool/engine/fork.hpp>
#include <procpool/mpi/companion.hpp>
#include <procpool/mpi/launch.hpp>
#include <procpool/mpi/table.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/task/machine.hpp>
#include <procpool/worker/setup.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::mpi {

/// Workers of one machine beyond which tasks for one of them cannot be told apart, where PoolOptions::workers does not
/// say how many there are.
inline constexpr std::uint32_t most_workers_of_node = 512;

/// Throws: std::logic_error for a second pool of this program, and in tasks: MPI can be initialised once.
void prepare();
[[nodiscard]] engine::Layout lay_out(std::uint32_t workers, const MpiOptions& options) noexcept;

class MpiCrew final : public client::Crew {
public:
    /// Returns on rank 0, when all machines are there or have had their time. On the others it serves, and the program
    /// ends there. Throws: std::system_error, as ForkCrew; std::runtime_error when MPI does not see the other ranks.
    MpiCrew(client::Client& client, worker::Setup setup);

    void ring() noexcept override { fork_->ring(); }
    [[nodiscard]] bool can_kill() const noexcept override { return true; }
    [[nodiscard]] bool has_ended() noexcept override { return fork_->has_ended(); }
    bool join(Deadline deadline) override { return fork_->join(deadline); }
    [[nodiscard]] std::vector<NodeInfo> nodes() const override;
    [[nodiscard]] std::string host_of(std::uint32_t seat) const override;
    [[nodiscard]] std::uint64_t progress_of(std::uint32_t slot) const noexcept override {
        return table_.progress(slot);
    }

private:
    /// Is what processes of this program know of their machine, as long as it lives.
    class ThisMachine {
    public:
        ThisMachine() : memory_(sizeof(task::Machine)) { task::this_machine = new (memory_.data()) task::Machine; }
        ThisMachine(const ThisMachine&) = delete;
        ThisMachine& operator=(const ThisMachine&) = delete;
        ~ThisMachine() { task::this_machine = nullptr; }
        [[nodiscard]] task::Machine& machine() const noexcept {
            return *reinterpret_cast<task::Machine*>(memory_.data());
        }

    private:
        os::Mapping memory_;
    };

    void wait_for_machines();

    client::Client& client_;
    ThisMachine machine_;
    Table table_;  // outlives the companion, which the supervisor forks
    std::optional<Companion> companion_;
    std::unique_ptr<engine::ForkCrew> fork_;
};

}  // namespace procpool::detail::mpi

#include <procpool/mpi/crew.ipp>
