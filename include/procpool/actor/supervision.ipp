// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/actor/supervision.hpp>

#include <procpool/actor/actor_base.hpp>
#include <procpool/actor/options.hpp>
#include <procpool/client/client.hpp>
#include <procpool/core/error.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace procpool::inline v0::detail::actor {

PROCPOOL_DECL ActorChild::ActorChild(std::shared_ptr<ActorBase> actor) : actor_(std::move(actor)) { watch(); }

/// Effects: process_ is that of the present life; none when it has ended, or the system has no such descriptors.
PROCPOOL_DECL void ActorChild::watch() noexcept {
    const task::ActorRecord& record = actor_->client().board().actor;
    process_ = os::open_pidfd(record.pid.load(std::memory_order_relaxed));
    // Its number was its own when it was opened, if it is not recorded as dead now: it is reaped after that.
    if (ended()) { process_ = {}; }
}

PROCPOOL_DECL void ActorChild::start() {
    client::Client& client = actor_->client();
    task::Board& board = client.board();
    if (client.life() > task::Life::closing) {
        throw PoolBroken("procpool: '" + std::string(task::text_within(board.control.name)) +
                         "' cannot be restarted: the process that would begin its next life was killed");
    }
    const std::uint32_t ready = board.from_workers.ready_count.load(std::memory_order_relaxed);
    const std::uint32_t next = board.actor.lives.load(std::memory_order_relaxed) + 1;
    board.actor.allowed.store(next, std::memory_order_release);
    client.ring();
    while (client.life() <= task::Life::closing && board.actor.deaths.load(std::memory_order_acquire) < next &&
           board.from_workers.ready_count.load(std::memory_order_relaxed) == ready) {
        os::nap();
        client.check_crew();
    }
    watch();
}

PROCPOOL_DECL std::optional<ExitStatus> ActorChild::ended() noexcept {
    client::Client& client = actor_->client();
    client.check_crew();
    const task::ActorRecord& record = client.board().actor;
    // acquire: sees the death that was counted.
    const bool dead = record.deaths.load(std::memory_order_acquire) == record.lives.load(std::memory_order_relaxed);
    if (!dead && client.life() <= task::Life::closing) { return std::nullopt; }
    return record.last_death().status;
}

PROCPOOL_DECL void ActorChild::end() noexcept {
    client::Client& client = actor_->client();
    task::ActorRecord& record = client.board().actor;
    const client::Parkers::Lease lease = client.parkers().lease();
    record.unwanted.store(record.lives.load(std::memory_order_relaxed), std::memory_order_release);
    client.ring();
    while (!ended()) { lease.park(Deadline::after(std::chrono::milliseconds{100})); }
    process_ = {};
}

PROCPOOL_DECL void ActorChild::tell() noexcept {
    client::Client& client = actor_->client();
    task::ActorRecord& record = client.board().actor;
    // release: the others have ended.
    record.told.store(record.lives.load(std::memory_order_relaxed), std::memory_order_release);
    client.ring();
}

PROCPOOL_DECL void ActorChild::stop() noexcept { actor_->stop(); }
PROCPOOL_DECL void ActorChild::kill() noexcept { actor_->kill(); }
PROCPOOL_DECL std::int32_t ActorChild::pid() const noexcept { return actor_->pid(); }

PROCPOOL_DECL void ProcessChild::start() { process_ = launch_(); }

PROCPOOL_DECL std::optional<ExitStatus> ProcessChild::ended() noexcept {
    return process_.is_alive() ? std::nullopt : std::optional{process_.exit_status()};
}

PROCPOOL_DECL int ProcessChild::descriptor() const noexcept { return process_.native_handle(); }

PROCPOOL_DECL void ProcessChild::end() noexcept {
    try {
        process_.terminate();
        if (process_.join_for(grace_)) { return; }
        process_.kill();
        process_.join();
    } catch (const std::system_error&) {  // it may not be killed; Process's destructor says so
    }
}

PROCPOOL_DECL void ProcessChild::kill() noexcept {
    try {
        process_.kill();
        process_.join();
    } catch (const std::system_error&) {  // as above
    }
}

PROCPOOL_DECL std::int32_t ProcessChild::pid() const noexcept { return process_.pid(); }

PROCPOOL_DECL Supervision::Supervision(SupervisorOptions options)
    : options_(std::move(options)),
      restarts_(std::min(options_.intensity, ActorOptions::max_restarts), options_.period) {
    if (options_.intensity > ActorOptions::max_restarts) {
        throw std::invalid_argument("procpool: SupervisorOptions::intensity is at most " +
                                    std::to_string(ActorOptions::max_restarts));
    }
    if (options_.period.count() <= 0) {
        throw std::invalid_argument("procpool: SupervisorOptions::period must be positive");
    }
}

PROCPOOL_DECL void Supervision::require_open() const {
    if (error_) { std::rethrow_exception(error_); }
    if (stopping_) { throw PoolClosed("procpool: the supervisor has been stopped"); }
}

PROCPOOL_DECL void Supervision::add(std::string name, Restart restart, std::unique_ptr<Child> child) {
    const std::int32_t pid = child->pid();
    std::unique_ptr<Entry> entry{new Entry{{std::move(name), pid, true, 0, {}}, restart, std::move(child)}};
    const std::lock_guard guard{mutex_};
    require_open();
    entries_.reserve(entries_.size() + 1);
    if (!thread_.joinable()) {
        const os::AllSignalsBlocked inherited_by_the_thread;
        thread_ = std::thread([this] { watch(); });
    }
    entries_.push_back(std::move(entry));  // nothing fails any more
    bell_.raise();
}

PROCPOOL_DECL std::vector<Supervision::Entry*> Supervision::entries() const {
    const std::lock_guard guard{mutex_};
    std::vector<Entry*> all;
    if (stopping_ || error_) { return all; }
    for (const std::unique_ptr<Entry>& one : entries_) { all.push_back(one.get()); }
    return all;
}

PROCPOOL_DECL void Supervision::watch() noexcept {
    for (std::vector<Entry*> all = entries(); !all.empty(); all = entries()) {
        std::vector<int> watched{bell_.number()};
        Deadline next = Deadline::never();
        for (const Entry* one : all) {
            if (!one->info.running) { continue; }
            watched.push_back(one->child->descriptor());
            if (watched.back() < 0) { next = Deadline::after(std::chrono::milliseconds{20}); }
        }
        os::wait_any_readable(watched, next);
        bell_.lower();
        look(entries());
    }
}

PROCPOOL_DECL void Supervision::look(const std::vector<Entry*>& all) {
    for (std::size_t i = 0; i < all.size();) {
        Entry& one = *all[i];
        const std::optional<ExitStatus> status = one.info.running ? one.child->ended() : std::nullopt;
        if (!status) {
            ++i;
            continue;
        }
        set(one, [&](ChildInfo& info) { info.exit_status = *status; });
        const bool by_itself = *status == ExitStatus::from_code(0);
        if (one.restart == Restart::temporary || (one.restart == Restart::transient && by_itself)) {
            one.child->kill();
            set(one, [](ChildInfo& info) { info.running = false; });
        } else if (!restart_after(all, i)) {
            return;
        }
        i = 0;  // others may have ended meanwhile
    }
}

PROCPOOL_DECL bool Supervision::restart_after(const std::vector<Entry*>& all, std::size_t ended) {
    const ChildInfo& info = all[ended]->info;
    if (!restarts_.take(Clock::now())) {
        give_up(std::make_exception_ptr(RestartsExhausted{options_.name, info.name, info.exit_status}));
        return false;
    }
    log::report(LogLevel::warning, {.pid = info.pid}, "'{}' restarts '{}', which {}", options_.name, info.name,
                to_string(info.exit_status));
    const std::size_t first = options_.strategy == Strategy::one_for_all ? 0 : ended;
    const std::size_t end = options_.strategy == Strategy::one_for_one ? ended + 1 : all.size();
    std::vector<Entry*> again;
    for (std::size_t i = end; i-- != first;) {
        Entry& one = *all[i];
        if (!one.info.running) { continue; }
        if (i != ended) { one.child->end(); }
        if (one.restart == Restart::temporary) {
            one.child->kill();
            set(one, [](ChildInfo& gone) { gone.running = false; });
        } else {
            again.push_back(&one);
        }
    }
    for (Entry* const one : again) { one->child->tell(); }  // from now on none of the old lives answers
    for (auto one = again.rbegin(); one != again.rend(); ++one) {
        try {
            (*one)->child->start();
        } catch (...) {
            give_up(std::current_exception());
            return false;
        }
        set(**one, [&](ChildInfo& begun) {
            ++begun.restarts;
            begun.pid = (*one)->child->pid();
        });
    }
    return true;
}

PROCPOOL_DECL void Supervision::give_up(std::exception_ptr why) noexcept {
    {
        const std::lock_guard guard{mutex_};
        error_ = std::move(why);  // no child is added from now on
    }
    for (auto one = entries_.rbegin(); one != entries_.rend(); ++one) {
        (*one)->child->kill();
        set(**one, [](ChildInfo& info) { info.running = false; });
    }
    log::report(LogLevel::error, {}, "'{}' has given up", options_.name);
}

PROCPOOL_DECL void Supervision::stop() noexcept {
    const std::lock_guard one_at_a_time{ending_};
    {
        const std::lock_guard guard{mutex_};
        stopping_ = true;
        bell_.raise();
    }
    if (thread_.joinable()) { thread_.join(); }
    for (auto one = entries_.rbegin(); one != entries_.rend(); ++one) {
        if (!(*one)->info.running) { continue; }
        (*one)->child->stop();
        set(**one, [](ChildInfo& info) { info.running = false; });
    }
}

PROCPOOL_DECL bool Supervision::wait(Deadline deadline) {
    std::unique_lock lock{mutex_};
    const auto over = [this] {
        return std::ranges::none_of(entries_, [](const auto& one) { return one->info.running; });
    };
    if (deadline.is_never()) {
        changed_.wait(lock, over);
    } else if (!changed_.wait_until(lock, deadline.when(), over)) {
        return false;
    }
    if (error_) { std::rethrow_exception(error_); }
    return true;
}

PROCPOOL_DECL std::vector<ChildInfo> Supervision::children() const {
    const std::lock_guard guard{mutex_};
    std::vector<ChildInfo> all;
    for (const std::unique_ptr<Entry>& one : entries_) { all.push_back(one->info); }
    return all;
}

}  // namespace procpool::detail::actor
