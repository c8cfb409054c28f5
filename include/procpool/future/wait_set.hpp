// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// WaitSet: waits for any of many tasks and completions, at a cost per decision that does not grow with their number.

#include <procpool/client/parkers.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/future/completion.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace procpool::inline v0::detail::client {
class CallbackLoop;
class Crew;
class GuestTask;
}

namespace procpool::inline v0::detail::future {

/// Everything watched has a key, which is found once. Tasks may be of several pools; their pools' memory is kept until
/// they are found. Called by: one thread at a time; wake() by any.
class WaitSet final : private Subscriber {
public:
    using Key = std::uint64_t;

    /// Throws: SharedMemoryExhausted, std::bad_alloc.
    WaitSet();
    WaitSet(const WaitSet&) = delete;
    WaitSet& operator=(const WaitSet&) = delete;
    ~WaitSet();

    /// Requires: the caller's ticket is not released meanwhile. Throws: std::bad_alloc.
    void add(client::Client& client, client::Ticket ticket, Key key);

    /// As above; of a guest. Throws: std::bad_alloc.
    void add(client::GuestTask& task, Key key);

    /// when_decided: found then, and not when its functions have run. Throws: std::bad_alloc.
    void add(Counted<Completion> completion, Key key, bool when_decided);

    /// Effects: the keys of all that has been decided since the last look are appended. Throws: std::bad_alloc.
    void look(std::vector<Key>& keys);

    /// Blocks until something is found, whose keys are appended; on the callback thread it runs callbacks meanwhile.
    /// Returns: false when the deadline came first. Throws: std::logic_error in a forked child.
    bool find(std::vector<Key>& keys, Deadline deadline);
    bool find(Deadline deadline);

    /// Effects: spins, then sleeps, until look() may find something, the callback thread has something to do if this is
    /// it, or the deadline; may return early. Not for ever: then it looks after the pools.
    void sleep(Deadline deadline);

    /// Effects: sleep() returns. Called by: any thread.
    void wake() noexcept;

    /// Returns: what sleep() uses on any thread but the callback thread, and those that have waited for tasks of
    /// guests.
    [[nodiscard]] const client::Parkers::Lease& sleeper() const noexcept { return own_; }
    /// Whether that parker is notified for what is watched. Effects: it will be. Called by: as sleep().
    [[nodiscard]] bool listens_at(sync::Parker* parker) noexcept;

    /// Effects: decides tasks whose supervisor has been killed. Called by: a thread that has slept for a while,
    /// elsewhere.
    void check_crews() noexcept;
    /// Whether look() is worth it. Memory order: none; it is asked again and again.
    [[nodiscard]] bool may_find() const noexcept;

private:
    struct Entry {
        std::uint64_t serial;
        Key key;
    };

    struct PoolTasks;
    /// A watched task of a guest, which nothing marks: all of them are looked at.
    struct GuestEntry {
        client::GuestTask* task;  // one reference
        Key key;
    };

    PROCPOOL_DECL void is_over(Key key) noexcept override;

    /// Effects: a task among those watched, or that a completion may depend on, is run here, if no other thread may be
    /// there to do it. Returns: whether one was.
    bool run_awaited(client::Crew* crew);

    /// Returns: what the calling thread sleeps on; null: nothing that others could notify.
    [[nodiscard]] sync::Parker* parker_here(client::CallbackLoop* loop) const noexcept;

    /// Effects: sleeps until the parker of that place among sync::Members, the calling thread's, is notified, the
    /// deadline, or something is to be done.
    template <class MayStop>
    void park_for_guests(std::uint32_t place, Deadline deadline, MayStop may_stop) noexcept;

    PoolTasks& tasks_of(client::Client& client);

    void redirect(PoolTasks& pool) noexcept;

    /// Effects: this parker is notified from now on; what was decided before is looked for.
    void set_parker(sync::Parker* parker) noexcept;

    [[nodiscard]] bool lacks_parker(const PoolTasks& pool) const noexcept;

    void look_at(PoolTasks& pool, bool at_all, std::vector<Key>& keys);

    [[nodiscard]] static bool is_found(PoolTasks& pool, std::uint32_t slot, const Entry& entry, std::vector<Key>& keys);

    const std::uint64_t owner_;
    client::Parkers::Lease own_;
    std::atomic<sync::Parker*> parker_;  // null: nobody can notify, and all is looked at again and again
    std::vector<std::unique_ptr<PoolTasks>> pools_;
    std::vector<GuestEntry> guests_;
    std::unordered_map<const Completion*, Counted<Completion>> completions_;
    Clock::time_point next_look_at_all_ = Clock::now() + client::longest_sleep;
    std::vector<Key> found_;  // in add()
    std::mutex mutex_;
    std::vector<Key> notified_;  // by completions; guarded by mutex_
    std::atomic<bool> was_notified_{false};
};

}  // namespace procpool::detail::future

#if PROCPOOL_BODIES
#include <procpool/future/wait_set.ipp>
#endif
