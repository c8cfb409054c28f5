// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/supervision.hpp>
#include <procpool/actor/supervisor.hpp>

#include <stdexcept>

namespace procpool::inline v0 {

PROCPOOL_DECL void Supervisor::Delete::operator()(detail::actor::Supervision* supervision) const noexcept {
    if (supervision->is_mine()) { delete supervision; }  // in a forked child its thread is missing
}

PROCPOOL_DECL Supervisor::Supervisor(SupervisorOptions options)
    : supervision_(new detail::actor::Supervision{std::move(options)}) {}

PROCPOOL_DECL detail::actor::Supervision& Supervisor::get() const {
    if (!supervision_) { throw std::logic_error("procpool: this supervisor has been moved from"); }
    if (!supervision_->is_mine()) { throw std::logic_error("procpool: this supervisor belongs to another process"); }
    return *supervision_;
}

PROCPOOL_DECL void Supervisor::check_child(const ActorOptions& options) const {
    static_cast<void>(get());
    if (options.restarts != 0) {
        throw std::invalid_argument(
            "procpool: ActorOptions::restarts must be 0 for a supervised actor: see SupervisorOptions::intensity");
    }
}

PROCPOOL_DECL void Supervisor::add(Restart restart, const ActorOptions& options,
                                   std::shared_ptr<detail::ActorBase> actor) {
    get().add(options.name, restart, std::make_unique<detail::actor::ActorChild>(std::move(actor)));
}

PROCPOOL_DECL void Supervisor::add(Restart restart, const ProcessOptions& options, std::function<Process()> launch) {
    get().add(options.name, restart,
              std::make_unique<detail::actor::ProcessChild>(std::move(launch), options.terminate_grace));
}

PROCPOOL_DECL void Supervisor::stop() { get().stop(); }
PROCPOOL_DECL bool Supervisor::wait_until(detail::Deadline deadline) { return get().wait(deadline); }
PROCPOOL_DECL std::vector<ChildInfo> Supervisor::children() const { return get().children(); }

}  // namespace procpool
