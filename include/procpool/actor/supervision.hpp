// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Supervision: the thread of a Supervisor, which restarts children by a strategy.

#include <procpool/actor/strategy.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/process/process.hpp>
#include <procpool/worker/restarts.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail {

class ActorBase;

namespace actor {

/// A child as its supervisor handles it. Called by: one thread at a time.
class Child {
public:
    Child() = default;
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    virtual ~Child() = default;

    /// Effects: begins another life. Returns: when it has begun. Throws: std::system_error and its like. Requires: the
    /// life before has ended.
    virtual void start() = 0;
    /// Returns: how its life has ended; nothing while it lasts.
    [[nodiscard]] virtual std::optional<ExitStatus> ended() noexcept = 0;
    /// Readable when its life has ended; -1: none.
    [[nodiscard]] virtual int descriptor() const noexcept = 0;
    /// Effects: ends its life; another may follow.
    virtual void end() noexcept = 0;
    /// Effects: callers learn that its life has ended. Requires: it has.
    virtual void tell() noexcept = 0;
    /// Effects: ends it for ever; one that accepts calls finishes them.
    virtual void stop() noexcept = 0;
    /// Effects: ends it for ever, now.
    virtual void kill() noexcept = 0;
    [[nodiscard]] virtual std::int32_t pid() const noexcept = 0;
};

class ActorChild final : public Child {
public:
    /// actor: of lives that each must be allowed.
    explicit ActorChild(std::shared_ptr<ActorBase> actor);
    PROCPOOL_DECL void start() override;
    [[nodiscard]] PROCPOOL_DECL std::optional<ExitStatus> ended() noexcept override;
    [[nodiscard]] int descriptor() const noexcept override { return process_.number(); }
    PROCPOOL_DECL void end() noexcept override;
    PROCPOOL_DECL void tell() noexcept override;
    PROCPOOL_DECL void stop() noexcept override;
    PROCPOOL_DECL void kill() noexcept override;
    [[nodiscard]] PROCPOOL_DECL std::int32_t pid() const noexcept override;

private:
    void watch() noexcept;

    std::shared_ptr<ActorBase> actor_;
    os::Descriptor process_;  // a pidfd
};

class ProcessChild final : public Child {
public:
    ProcessChild(std::function<Process()> launch, std::chrono::milliseconds grace)
        : launch_(std::move(launch)),
          grace_(grace),
          process_(launch_()) {}
    PROCPOOL_DECL void start() override;
    [[nodiscard]] PROCPOOL_DECL std::optional<ExitStatus> ended() noexcept override;
    [[nodiscard]] PROCPOOL_DECL int descriptor() const noexcept override;
    PROCPOOL_DECL void end() noexcept override;
    void tell() noexcept override {}
    void stop() noexcept override { end(); }
    PROCPOOL_DECL void kill() noexcept override;
    [[nodiscard]] PROCPOOL_DECL std::int32_t pid() const noexcept override;

private:
    std::function<Process()> launch_;
    std::chrono::milliseconds grace_;  // between SIGTERM and SIGKILL
    Process process_;
};

/// Called by: any thread of the process that made it.
class Supervision {
public:
    /// Throws: std::invalid_argument; std::system_error.
    explicit Supervision(SupervisorOptions options);
    Supervision(const Supervision&) = delete;
    Supervision& operator=(const Supervision&) = delete;
    ~Supervision() { stop(); }

    [[nodiscard]] bool is_mine() const noexcept { return os::is_process(owner_); }

    /// Throws: PoolClosed after stop(); what wait() throws; std::system_error when no thread can be had.
    void add(std::string name, Restart restart, std::unique_ptr<Child> child);
    void stop() noexcept;
    /// Blocks until no child runs any more. Returns: false when the deadline came first. Throws: why it has given up.
    bool wait(Deadline deadline);
    [[nodiscard]] std::vector<ChildInfo> children() const;

private:
    struct Entry {
        ChildInfo info;  ///< guarded by mutex_; written by the thread, while there is one
        const Restart restart;
        const std::unique_ptr<Child> child;  ///< of the thread, while there is one
    };

    void require_open() const;
    void watch() noexcept;
    /// Returns: all children; none once the thread should end.
    [[nodiscard]] std::vector<Entry*> entries() const;
    /// Effects: deals with all children that have ended.
    void look(const std::vector<Entry*>& all);
    /// Effects: restarts what the strategy says. Returns: false when it has given up.
    bool restart_after(const std::vector<Entry*>& all, std::size_t ended);
    void give_up(std::exception_ptr why) noexcept;
    /// Effects: changes the child's info by `change`.
    template <class Change>
    void set(Entry& one, Change change) noexcept {
        {
            const std::lock_guard guard{mutex_};
            change(one.info);
        }
        changed_.notify_all();
    }

    const os::Token owner_ = os::process_token();
    const SupervisorOptions options_;
    worker::Restarts restarts_;  // of the thread
    os::Event bell_;
    std::mutex ending_;         // one thread at a time stops it
    mutable std::mutex mutex_;  // guards what follows; nothing is waited for with it
    std::condition_variable changed_;
    std::vector<std::unique_ptr<Entry>> entries_;  // in the order in which they start
    std::exception_ptr error_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace actor

}  // namespace detail

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/actor/supervision.ipp>
#endif
