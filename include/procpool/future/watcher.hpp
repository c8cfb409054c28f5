// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Watcher: waits for any of many tasks and completions, at a cost per decision that does not grow with their number.

#include <procpool/client/callback_loop.hpp>
#include <procpool/client/client.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/client/parkers.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/completion.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::future {

/// Everything watched has a key, which is found once. Tasks may be of several pools; their pools' memory is kept until
/// they are found. Called by: one thread at a time; wake() by any.
class Watcher final : private Subscriber {
public:
    using Key = std::uint64_t;

    /// Throws: SharedMemoryExhausted, std::bad_alloc.
    Watcher() : own_(client::Parkers::of_this_process().lease()), bound_(own_.parker()) {}
    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;
    ~Watcher() {
        if (!os::is_process(owner_)) {  // in a forked child: what it watched is another process's
            for (auto& crowd : crowds_) { static_cast<void>(crowd.release()); }
            for (auto& completion : completions_) { static_cast<void>(completion.second.detach()); }
            return;
        }
        for (auto& [key, completion] : completions_) { completion->unsubscribe(*this); }
    }

    /// Requires: the caller's ticket is not released meanwhile. Throws: std::bad_alloc.
    void add(client::Client& client, client::Ticket ticket, Key key) {
        if (client.is_decided(ticket)) {
            found_.push_back(key);
            return;
        }
        Crowd& crowd = crowd_of(client);
        auto [place, is_new] = crowd.tasks.try_emplace(ticket.slot, Entry{ticket.serial, key});
        if (!is_new) {  // of a task that is decided, since its slot has another; or the same task again
            if (place->second.serial == ticket.serial) {
                crowd.twins.push_back({ticket, key});
                return;
            }
            static_cast<void>(is_found(crowd, ticket.slot, place->second, found_));
            place->second = Entry{ticket.serial, key};
        }
        if (crowd.waiter) { client.board().wait_for(ticket.slot, crowd.waiter.index()); }
        // Whoever decided it may not have seen the waiter.
        if (is_found(crowd, ticket.slot, place->second, found_)) { crowd.tasks.erase(place); }
    }

    /// when_decided: found then, and not when its functions have run. Throws: std::bad_alloc.
    void add(Counted<Completion> completion, Key key, bool when_decided) {
        completions_.try_emplace(completion.get(), completion);  // first, so that it is unsubscribed whatever happens
        if (!completion->subscribe(*this, key, when_decided)) { found_.push_back(key); }
    }

    /// Effects: the keys of all that has been decided since the last look are appended. Throws: std::bad_alloc.
    void look(std::vector<Key>& keys) {
        keys.insert(keys.end(), found_.begin(), found_.end());
        found_.clear();
        if (was_told_.load(std::memory_order_relaxed)) {
            const std::lock_guard guard{mutex_};
            was_told_.store(false, std::memory_order_relaxed);
            keys.insert(keys.end(), told_.begin(), told_.end());
            told_.clear();
        }
        // Now and then at all: a worker may have been stopped before it set its mark.
        const bool at_all = Clock::now() >= next_look_at_all_;
        if (at_all) { next_look_at_all_ = Clock::now() + client::longest_sleep; }
        for (std::size_t i = 0; i < crowds_.size();) {
            look_at(*crowds_[i], at_all, keys);
            if (crowds_[i]->tasks.empty()) {
                std::swap(crowds_[i], crowds_.back());
                crowds_.pop_back();
            } else {
                ++i;
            }
        }
    }

    /// Blocks until something is found, whose keys are appended; on the callback thread it runs callbacks meanwhile.
    /// Returns: false when the deadline came first. Throws: std::logic_error in a forked child.
    bool find(std::vector<Key>& keys, Deadline deadline) {
        if (!os::is_process(owner_)) {
            throw std::logic_error("procpool: what is waited for belongs to another process");
        }
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
            if (helps && run_awaited(crew)) { continue; }
            const client::Crew::Waiting waiting{crew};
            // Whoever submits what a completion depends on does not wake this thread.
            sleep(helps && crew != nullptr ? Deadline::after(std::chrono::milliseconds{1}) : deadline);
        }
    }
    bool find(Deadline deadline) {
        std::vector<Key> keys;
        return find(keys, deadline);
    }

    /// Effects: spins, then sleeps, until look() may find something, the callback thread has something to do if this is
    /// it, or the deadline; may return early. Not for ever: then it looks after the pools.
    void sleep(Deadline deadline) {
        client::CallbackLoop* const loop = client::callback_loop();
        const auto may_stop = [&] { return may_find() || (loop != nullptr && loop->may_run()); };
        const client::Parkers::Lease& bed = loop != nullptr ? loop->sleeper() : own_;
        if (bed.parker() != bound_.load(std::memory_order_relaxed)) {  // looked for by another thread than before
            bind(bed.parker());
            return;
        }
        if (!bed || std::ranges::any_of(
                        crowds_, [&](const auto& crowd) { return is_blind(*crowd); })) {  // nobody would wake this
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
        bed.park(deadline.or_sooner(Deadline::after(client::longest_sleep)));
        if (may_stop()) { return; }
        check_crews();
        if (loop != nullptr) { loop->check_crews(); }
    }

    /// Effects: sleep() returns. Called by: any thread.
    void wake() noexcept {
        if (sync::Parker* const parker = bound_.load(std::memory_order_acquire)) { parker->notify(); }
    }

    /// What sleep() uses on any thread but the callback thread.
    [[nodiscard]] const client::Parkers::Lease& sleeper() const noexcept { return own_; }

    /// Effects: tasks are decided even if whoever should do it has been killed. Called by: who has slept for a while,
    /// elsewhere.
    void check_crews() noexcept {
        for (auto& crowd : crowds_) { crowd->client->after_long_sleep(); }
    }
    /// Whether look() is worth it. Memory order: none; it is asked again and again.
    [[nodiscard]] bool may_find() const noexcept {
        return !found_.empty() || was_told_.load(std::memory_order_relaxed) ||
               std::ranges::any_of(crowds_, [&](const auto& crowd) {
                   const task::Board& board = crowd->client->board();
                   return crowd->look_at_all || board.control.deaths.load(std::memory_order_relaxed) != crowd->deaths ||
                          (!is_blind(*crowd) && board.waiters.has_marks(crowd->waiter.index()));
               });
    }

private:
    struct Entry {
        std::uint64_t serial;
        Key key;
    };

    struct Release {
        void operator()(client::Client* client) const noexcept { client::Client::release_ticket(client); }
    };

    /// What is watched of one pool.
    struct Crowd {
        explicit Crowd(client::Client& of)
            : client(&of),
              waiter(of.parkers().lease()),
              deaths(of.board().control.deaths.load(std::memory_order_seq_cst)) {
            of.retain();
        }
        ~Crowd() {
            if (waiter) { client->board().waiters.redirect(waiter.index(), nullptr); }
        }
        std::unique_ptr<client::Client, Release> client;
        client::Parkers::Lease waiter;  // without one, all are looked at
        std::uint32_t deaths;
        bool look_at_all = false;
        std::unordered_map<std::uint32_t, Entry> tasks;     // by slot
        std::vector<std::pair<client::Ticket, Key>> twins;  // further keys of tasks in there
    };

    void is_over(Key key) noexcept override {
        {
            const std::lock_guard guard{mutex_};
            told_.push_back(key);
            was_told_.store(true, std::memory_order_relaxed);
        }
        wake();
    }

    /// Effects: a task among those watched, or that a completion may depend on, is run here, if nobody else may be
    /// there to do it. Returns: whether one was.
    bool run_awaited(client::Crew* crew) {
        for (const auto& crowd : crowds_) {
            if (crowd->waiter && crowd->client->run_awaited_by(crowd->waiter.index())) { return true; }
        }
        return crew != nullptr && !completions_.empty() && crew->run_any_if_all_wait();
    }

    Crowd& crowd_of(client::Client& client) {
        const auto known =
            std::ranges::find_if(crowds_, [&](const auto& crowd) { return crowd->client.get() == &client; });
        if (known != crowds_.end()) { return **known; }
        crowds_.push_back(std::make_unique<Crowd>(client));
        redirect(*crowds_.back());
        return *crowds_.back();
    }

    void redirect(Crowd& crowd) noexcept {
        if (crowd.waiter) {
            crowd.client->board().waiters.redirect(crowd.waiter.index(), bound_.load(std::memory_order_relaxed));
        }
    }

    /// Effects: this parker is notified from now on; what was decided before is looked for.
    void bind(sync::Parker* parker) noexcept {
        bound_.store(parker, std::memory_order_release);
        for (auto& crowd : crowds_) {
            redirect(*crowd);
            crowd->look_at_all = true;
        }
    }

    [[nodiscard]] bool is_blind(const Crowd& crowd) const noexcept {
        return !crowd.waiter || bound_.load(std::memory_order_relaxed) == nullptr;
    }

    void look_at(Crowd& crowd, bool at_all, std::vector<Key>& keys) {
        task::Board& board = crowd.client->board();
        // seq_cst: counted after the words of the dead are settled, and before the parkers are notified.
        const std::uint32_t deaths = board.control.deaths.load(std::memory_order_seq_cst);
        at_all = std::exchange(crowd.look_at_all, false) || deaths != crowd.deaths || is_blind(crowd) || at_all;
        crowd.deaths = deaths;
        keys.reserve(keys.size() + crowd.tasks.size() + crowd.twins.size());  // so that no mark is taken in vain
        if (at_all) {
            std::erase_if(crowd.tasks,
                          [&](const auto& task) { return is_found(crowd, task.first, task.second, keys); });
        }
        if (!crowd.waiter) { return; }
        board.waiters.take_marks(crowd.waiter.index(), [&](std::uint32_t slot) {
            const auto task = crowd.tasks.find(slot);
            if (task != crowd.tasks.end() && is_found(crowd, slot, task->second, keys)) { crowd.tasks.erase(task); }
        });
    }

    [[nodiscard]] static bool is_found(Crowd& crowd, std::uint32_t slot, const Entry& entry, std::vector<Key>& keys) {
        if (!crowd.client->is_decided({entry.serial, slot})) { return false; }
        keys.push_back(entry.key);
        std::erase_if(crowd.twins, [&](const auto& twin) {
            if (twin.first.serial != entry.serial) { return false; }
            keys.push_back(twin.second);
            return true;
        });
        return true;
    }

    const os::Token owner_ = os::process_token();
    client::Parkers::Lease own_;
    std::atomic<sync::Parker*> bound_;  // null: nobody can notify, and all is looked at again and again
    std::vector<std::unique_ptr<Crowd>> crowds_;
    std::unordered_map<const Completion*, Counted<Completion>> completions_;
    Clock::time_point next_look_at_all_ = Clock::now() + client::longest_sleep;
    std::vector<Key> found_;  // in add()
    std::mutex mutex_;
    std::vector<Key> told_;  // by completions; guarded by mutex_
    std::atomic<bool> was_told_{false};
};

}  // namespace procpool::detail::future
