// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/future/wait_set.hpp>

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/client.hpp>
#include <procpool/client/client_ref.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/client/guest.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/sync/member.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <utility>

namespace procpool::inline v0::detail::future {

/// The watched tasks of one pool.
struct WaitSet::PoolTasks {
    explicit PoolTasks(client::Client& of)
        : client(of),
          waiter(of.parkers().lease()),
          deaths(of.board().control.deaths.load(std::memory_order_seq_cst)) {}
    PoolTasks(const PoolTasks&) = delete;
    PoolTasks& operator=(const PoolTasks&) = delete;
    ~PoolTasks() {
        if (waiter) { client->board().waiters.redirect(waiter.index(), nullptr); }
    }

    client::ClientRef client;
    client::Parkers::Lease waiter;  // without one, all are looked at
    std::uint32_t deaths;
    bool look_at_all = false;
    std::unordered_map<std::uint32_t, Entry> by_slot;
    std::vector<std::pair<client::Ticket, Key>> duplicates;  // further keys of tasks in there
};

PROCPOOL_DECL WaitSet::WaitSet()
    : owner_(os::process_token()),
      own_(client::Parkers::of_this_process().lease()),
      parker_(own_.parker()) {}

PROCPOOL_DECL WaitSet::~WaitSet() {
    if (!os::is_process(owner_)) {  // in a forked child: what it watched is another process's
        for (auto& pool : pools_) { static_cast<void>(pool.release()); }
        for (auto& completion : completions_) { static_cast<void>(completion.second.detach()); }
        return;
    }
    for (auto& [key, completion] : completions_) { completion->unsubscribe(*this); }
    for (const GuestEntry& guest : guests_) { guest.task->release(); }
}

PROCPOOL_DECL void WaitSet::add(client::Client& client, client::Ticket ticket, Key key) {
    if (client.is_decided(ticket)) {
        found_.push_back(key);
        return;
    }
    PoolTasks& pool = tasks_of(client);
    auto [place, is_new] = pool.by_slot.try_emplace(ticket.slot, Entry{ticket.serial, key});
    if (!is_new) {  // of a task that is decided, since its slot has another; or the same task again
        if (place->second.serial == ticket.serial) {
            pool.duplicates.push_back({ticket, key});
            return;
        }
        static_cast<void>(is_found(pool, ticket.slot, place->second, found_));
        place->second = Entry{ticket.serial, key};
    }
    if (pool.waiter) { client.board().wait_for(ticket.slot, pool.waiter.index()); }
    // The worker that decided it may not have seen the waiter.
    if (is_found(pool, ticket.slot, place->second, found_)) { pool.by_slot.erase(place); }
}

PROCPOOL_DECL void WaitSet::add(client::GuestTask& task, Key key) {
    if (task.is_decided()) {
        found_.push_back(key);
        return;
    }
    guests_.push_back({&task, key});
    task.retain();
}

PROCPOOL_DECL void WaitSet::add(Counted<Completion> completion, Key key, bool when_decided) {
    completions_.try_emplace(completion.get(), completion);  // first, so that it is unsubscribed whatever happens
    if (!completion->subscribe(*this, key, when_decided)) { found_.push_back(key); }
}

PROCPOOL_DECL void WaitSet::look(std::vector<Key>& keys) {
    keys.insert(keys.end(), found_.begin(), found_.end());
    found_.clear();
    if (was_notified_.load(std::memory_order_relaxed)) {
        const std::lock_guard guard{mutex_};
        was_notified_.store(false, std::memory_order_relaxed);
        keys.insert(keys.end(), notified_.begin(), notified_.end());
        notified_.clear();
    }
    keys.reserve(keys.size() + guests_.size());
    std::erase_if(guests_, [&](const GuestEntry& guest) {
        if (!guest.task->poll()) { return false; }
        keys.push_back(guest.key);
        guest.task->release();
        return true;
    });
    // Now and then at all: a worker may have been stopped before it set its mark.
    const bool at_all = Clock::now() >= next_look_at_all_;
    if (at_all) { next_look_at_all_ = Clock::now() + client::longest_sleep; }
    for (std::size_t i = 0; i < pools_.size();) {
        look_at(*pools_[i], at_all, keys);
        if (pools_[i]->by_slot.empty()) {
            std::swap(pools_[i], pools_.back());
            pools_.pop_back();
        } else {
            ++i;
        }
    }
}

PROCPOOL_DECL bool WaitSet::find(std::vector<Key>& keys, Deadline deadline) {
    if (!os::is_process(owner_)) { throw std::logic_error("procpool: what is waited for belongs to another process"); }
    for (;;) {
        look(keys);
        if (!keys.empty()) { return true; }
        if (deadline.passed()) {
            next_look_at_all_ = {};  // what has been decided by now may not have its mark yet
            look(keys);
            return !keys.empty();
        }
        client::CallbackLoop* const loop = client::callback_loop();
        if (loop != nullptr && loop->run_one()) { continue; }
        client::Crew* const crew = client::crew_at_work();
        const bool helps = deadline.is_never();
        if (helps) {
            for (const GuestEntry& guest : guests_) { guest.task->require_other_actor(); }
        }
        if (std::ranges::any_of(guests_, [](const GuestEntry& guest) { return guest.task->help(); })) { continue; }
        if (helps && run_awaited(crew)) { continue; }
        const client::Crew::Waiting waiting{crew};
        // Submitting a task that a completion depends on does not wake this thread.
        sleep(helps && crew != nullptr ? Deadline::after(std::chrono::milliseconds{1}) : deadline);
    }
}

PROCPOOL_DECL bool WaitSet::find(Deadline deadline) {
    std::vector<Key> keys;
    return find(keys, deadline);
}

PROCPOOL_DECL sync::Parker* WaitSet::parker_here(client::CallbackLoop* loop) const noexcept {
    // All processes can notify that of a member, those too that have not the heap of this process.
    const sync::Stamp member = sync::Members::own_if_any();
    if (member != sync::nobody) { return sync::Members::parker_at(sync::Members::place_of(member)); }
    return (loop != nullptr ? loop->sleeper() : own_).parker();
}

PROCPOOL_DECL bool WaitSet::listens_at(sync::Parker* parker) noexcept {
    if (parker_.load(std::memory_order_relaxed) == parker) { return true; }
    set_parker(parker);
    return false;
}

/// Returns: the calling thread's place among sync::Members; 0: it has none.
[[nodiscard]] inline std::uint32_t place_here() noexcept {
    try {
        return sync::Members::place_of(sync::Members::own());
    } catch (const std::exception&) { return 0; }
}

template <class MayStop>
void WaitSet::park_for_guests(std::uint32_t place, Deadline deadline, MayStop may_stop) noexcept {
    worker::Loop* helper = nullptr;
    for (const GuestEntry& guest : guests_) {
        if (!guest.task->call_when_decided(place)) {
            if (!guest.task->is_decided()) { os::nap(); }
            return;
        }
        if (helper == nullptr) { helper = guest.task->helper(); }
    }
    const client::Helping helping{helper, place};
    if (!may_stop() && !helping.may_help()) { sync::Members::parker_at(place)->park(deadline); }
}

PROCPOOL_DECL void WaitSet::sleep(Deadline deadline) {
    client::CallbackLoop* const loop = client::callback_loop();
    const auto may_stop = [&] { return may_find() || (loop != nullptr && loop->may_run()); };
    const std::uint32_t place = guests_.empty() ? 0 : place_here();
    sync::Parker* const parker = parker_here(loop);
    // Another thread looks than before, or the same has become a member.
    if (!listens_at(parker) || (loop != nullptr && !loop->listens_at(parker))) { return; }
    const bool lacks_place = place == 0 && !guests_.empty();
    if (parker == nullptr || lacks_place || std::ranges::any_of(pools_, [&](const auto& pool) {
            return lacks_parker(*pool);
        })) {  // nothing would wake this
        os::nap();
        check_crews();
        return;
    }
    constexpr int rounds = 16;
    constexpr int looks = 16;
    for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < looks; ++i) {
            if (may_stop()) { return; }
            relax();
        }
        if (deadline.passed()) { return; }
        os::yield();
    }
    if (place != 0) {
        park_for_guests(place, sync::slice(deadline, client::longest_sleep), may_stop);
    } else {
        parker->park(deadline.or_sooner(Deadline::after(client::longest_sleep)));
    }
    if (may_stop()) { return; }
    check_crews();
    if (loop != nullptr) { loop->check_crews(); }
}

PROCPOOL_DECL void WaitSet::wake() noexcept {
    // seq_cst: as in set_parker().
    if (sync::Parker* const parker = parker_.load(std::memory_order_seq_cst)) { parker->notify(); }
}

PROCPOOL_DECL void WaitSet::check_crews() noexcept {
    for (auto& pool : pools_) { pool->client->after_long_sleep(); }
    for (const GuestEntry& guest : guests_) { guest.task->check_pool(); }
}

PROCPOOL_DECL bool WaitSet::may_find() const noexcept {
    return !found_.empty() || was_notified_.load(std::memory_order_seq_cst) ||
           std::ranges::any_of(guests_, [](const GuestEntry& guest) { return guest.task->is_decided(); }) ||
           std::ranges::any_of(pools_, [&](const auto& pool) {
               const task::Board& board = pool->client->board();
               return pool->look_at_all || board.control.deaths.load(std::memory_order_relaxed) != pool->deaths ||
                      (!lacks_parker(*pool) && board.waiters.has_marks(pool->waiter.index()));
           });
}

PROCPOOL_DECL void WaitSet::is_over(Key key) noexcept {
    {
        const std::lock_guard guard{mutex_};
        notified_.push_back(key);
        was_notified_.store(true, std::memory_order_seq_cst);  // see set_parker()
    }
    wake();
}

PROCPOOL_DECL bool WaitSet::run_awaited(client::Crew* crew) {
    for (const auto& pool : pools_) {
        if (pool->waiter && pool->client->run_awaited_by(pool->waiter.index())) { return true; }
    }
    return crew != nullptr && !completions_.empty() && crew->run_any_if_all_wait();
}

PROCPOOL_DECL WaitSet::PoolTasks& WaitSet::tasks_of(client::Client& client) {
    const auto known = std::ranges::find_if(pools_, [&](const auto& pool) { return pool->client.get() == &client; });
    if (known != pools_.end()) { return **known; }
    pools_.push_back(std::make_unique<PoolTasks>(client));
    redirect(*pools_.back());
    return *pools_.back();
}

PROCPOOL_DECL void WaitSet::redirect(PoolTasks& pool) noexcept {
    if (pool.waiter) {
        pool.client->board().waiters.redirect(pool.waiter.index(), parker_.load(std::memory_order_relaxed));
    }
}

PROCPOOL_DECL void WaitSet::set_parker(sync::Parker* parker) noexcept {
    // seq_cst: before the looks at what wake() is called after; of the two threads one sees the other.
    parker_.store(parker, std::memory_order_seq_cst);
    for (auto& pool : pools_) {
        redirect(*pool);
        pool->look_at_all = true;
    }
}

PROCPOOL_DECL bool WaitSet::lacks_parker(const PoolTasks& pool) const noexcept {
    return !pool.waiter || parker_.load(std::memory_order_relaxed) == nullptr;
}

PROCPOOL_DECL void WaitSet::look_at(PoolTasks& pool, bool at_all, std::vector<Key>& keys) {
    task::Board& board = pool.client->board();
    // seq_cst: counted after the words of the dead are settled, and before the parkers are notified.
    const std::uint32_t deaths = board.control.deaths.load(std::memory_order_seq_cst);
    at_all = std::exchange(pool.look_at_all, false) || deaths != pool.deaths || lacks_parker(pool) || at_all;
    pool.deaths = deaths;
    keys.reserve(keys.size() + pool.by_slot.size() + pool.duplicates.size());  // so that no mark is taken in vain
    if (at_all) {
        std::erase_if(pool.by_slot, [&](const auto& task) { return is_found(pool, task.first, task.second, keys); });
    }
    if (!pool.waiter) { return; }
    board.waiters.take_marks(pool.waiter.index(), [&](std::uint32_t slot) {
        const auto task = pool.by_slot.find(slot);
        if (task != pool.by_slot.end() && is_found(pool, slot, task->second, keys)) { pool.by_slot.erase(task); }
    });
}

PROCPOOL_DECL bool WaitSet::is_found(PoolTasks& pool, std::uint32_t slot, const Entry& entry, std::vector<Key>& keys) {
    if (!pool.client->is_decided({entry.serial, slot})) { return false; }
    keys.push_back(entry.key);
    std::erase_if(pool.duplicates, [&](const auto& duplicate) {
        if (duplicate.first.serial != entry.serial) { return false; }
        keys.push_back(duplicate.second);
        return true;
    });
    return true;
}

}  // namespace procpool::detail::future
