// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PoolBase: the part of a pool that depends neither on its engine nor on types of its tasks: its life, its statistics,
/// and the submission of a task that has been turned into code and bytes.

#include <procpool/client/dependency.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/mpi_options.hpp>
#include <procpool/future/task_handle.hpp>
#include <procpool/log/timings.hpp>
#include <procpool/log/trace_file.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/stats.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace procpool::inline v0 {
class FutureBase;
}

namespace procpool::inline v0::detail {

namespace engine {
struct Traits;
}
namespace pool {
class CallThreads;
}
namespace worker {
struct ActorLives;
}

/// The members of a pool that are the same for all engines. Called by: see ProcessPool.
class PoolBase {
public:
    PoolBase(const PoolBase&) = delete;

    /// Refuses new tasks from now on. Tasks that were accepted are finished, and calls over many items that have begun;
    /// those of imap() and its relatives until join(), after which they run only the items read so far, for the
    /// thread that waits in join() may be the one that reads on.
    void close();
    /// Closes the pool and blocks until its workers have ended. Within a call over many items, as in its progress
    /// function, it cannot wait for the end of that call: items that have not been submitted are refused then.
    void join();
    /// As join(), for a time. Returns: false when the workers have not ended yet.
    template <class Rep, class Period>
    [[nodiscard]] bool join_for(std::chrono::duration<Rep, Period> timeout) {
        return join_until(Deadline::after(timeout));
    }
    /// Ends the workers: sends SIGTERM, then SIGKILL after PoolOptions::terminate_grace. Unfinished tasks end in
    /// PoolTerminated, those that have not started at once.
    void terminate();
    /// Replaces the workers by ones that see the parent's memory as it is now: snapshot() means that memory from then
    /// on, and code that was loaded since the pool was built can be sent. Running tasks, and running items of calls
    /// over many, finish on the old workers; queued ones run on the new. Blocks until the new workers have been forked,
    /// so at least until the running tasks have ended; tasks may be submitted meanwhile. Does nothing where workers are
    /// threads. Throws: PoolClosed and its like; std::system_error when the system has no process left, and the pool is
    /// broken then.
    void refork();
    /// Ends the workers by SIGKILL, now. Unfinished tasks end in PoolTerminated.
    void kill();

    /// Changes how many workers the pool wants, from 1 to PoolOptions::grow_to; those with the highest indexes come and
    /// go; an InlinePool keeps its one. Does not wait for them: those that leave finish what they run, tasks for their
    /// index included, and run the finalizer; parts of scatter() that they have are lost. Threads that are not wanted
    /// sleep until the pool ends or wants them again. Where fewer processes can be had, the pool goes on and tries
    /// again. Throws: std::invalid_argument, which names the limit; std::system_error when a thread cannot be had;
    /// PoolClosed and its like. Called by: any thread of the process that built the pool.
    void resize(std::size_t workers);
    /// The number of workers that the pool wants: PoolOptions::workers, or what resize() said.
    [[nodiscard]] std::size_t size() const;
    /// The workers that live, by index. One that is being replaced is missing for that moment, and so are those that
    /// have left since they were idle.
    [[nodiscard]] std::vector<WorkerInfo> workers() const;
    /// Counts of tasks and workers since the pool was built.
    [[nodiscard]] PoolStats stats() const;
    /// The pool in the text format that Prometheus reads, for a program that answers its requests: workers by state,
    /// tasks by ending, the queue by phase, deaths by reason, each worker's resident memory, and where
    /// PoolOptions::latencies is set, histograms of times; all labelled with the pool's name. Each metric begins with
    /// its # HELP and # TYPE, which a strict reader takes once only: give such a one the pools of a program at
    /// addresses of their own. Takes some microseconds for each worker.
    [[nodiscard]] std::string prometheus() const;
    /// The tasks that have not ended, and those whose futures they have as arguments, as a graph in Graphviz's
    /// language: `dot -Tsvg` draws it. A node is a task, with its label, or its number where it has none, and its
    /// state: blocked (waits for other tasks), pending, running, with the index of its worker or the rank of its
    /// machine, or done, however it has ended. An edge goes from a task to one that has its future as an argument.
    /// Nodes come in the order of their numbers, then edges. Workers go on meanwhile: a state may have changed since,
    /// but no task is shown as running before those that it waits for are done. Not there: calls that wait in this
    /// process, as for futures of other pools; tasks whose results had left the pool's memory when they became
    /// arguments; tasks that tasks have submitted to their own pool. Called by: any thread of the process that built
    /// the pool.
    [[nodiscard]] std::string graph() const;
    /// The runs of tasks that procpool::write_trace() would write, in the order in which they ended. Requires:
    /// PoolOptions::trace was set.
    [[nodiscard]] std::vector<TaskTiming> timings() const;
    /// As procpool::write_trace(), for this pool alone. Requires: PoolOptions::trace was set.
    void write_trace(const log::FileName& path) const;

protected:
    /// actor: null, or how the deaths of the one worker are answered, which owns an actor's object. Throws: see
    /// ProcessPool's constructor.
    PoolBase(const engine::Traits& engine, PoolOptions options, const worker::ActorLives* actor = nullptr);
    PoolBase(PoolBase&& other) noexcept
        : client_(std::exchange(other.client_, nullptr)),
          threads_(std::exchange(other.threads_, nullptr)) {}
    PoolBase& operator=(PoolBase&& other) noexcept;
    ~PoolBase() { end(); }

    /// Throws: std::logic_error in a child, or when this pool has been moved from.
    [[nodiscard]] client::Client& client() const;
    [[nodiscard]] std::vector<NodeInfo> machines() const;
    /// Null in a child, and when this pool has been moved from.
    [[nodiscard]] client::Client* own_client() const noexcept;
    /// For calls that may turn out to have nothing to submit. Throws: as client(), and as a submission.
    [[nodiscard]] client::Client& open_client() const;
    [[nodiscard]] pool::CallThreads& call_threads() const noexcept { return *threads_; }

    /// Properties of a task that follow from the type of its call.
    struct CallTraits {
        TaskCode code;
        bool plain;               ///< see Submission
        std::uintptr_t function;  ///< where it is one, its address, which the workers must have; 0: none
    };
    /// Effects: hands over one task. options: null for the defaults. Returns: an empty handle when there is no slot for
    /// it now, with Patience::try_once. Throws: as client(), and as a submission; std::invalid_argument for bad
    /// options.
    [[nodiscard]] TaskHandle submit(const CallTraits& call, const TaskOptions* options, client::Patience patience,
                                    client::Encode encode) const;
    /// One of the futures that the arguments of a call consist of.
    struct FutureArgument {
        FutureBase* future = nullptr;
        bool is_owned = false;  ///< its result goes to this call alone
    };
    /// The outcome of a call with futures: a task, or an error that one of them has ended in; neither where there was
    /// no room.
    struct LinkedTask {
        TaskHandle task = {};
        std::exception_ptr error = nullptr;
        bool comes_later = false;  ///< some are not of tasks of this pool: nothing is submitted
    };
    /// Effects: as submit(), of a task that runs once those futures are ready, and has taken the results of the owned
    /// ones. Throws: likewise; std::future_error.
    [[nodiscard]] LinkedTask submit_linked(const CallTraits& call, const TaskOptions* options,
                                           client::Patience patience, std::span<const FutureArgument> futures,
                                           client::EncodeLinked encode) const;
    /// Effects: hands over one task for that worker. Throws: as submit(); std::invalid_argument when there is no such
    /// worker; std::system_error (resource_deadlock_would_occur) in a task of the pool.
    [[nodiscard]] TaskHandle submit_on(std::size_t worker, const CallTraits& call, const TaskOptions* options,
                                       client::Encode encode) const;
    /// Effects: hands over one task for each worker; blocks until all have ended. Throws: as submit(); when nothing of
    /// the call runs any more.
    [[nodiscard]] std::vector<TaskHandle> run_in_each_worker(const CallTraits& call, client::Encode encode) const;

private:
    [[nodiscard]] bool join_until(Deadline deadline);
    void end() noexcept;
    [[noreturn]] void throw_unusable() const;

    int unwinding_ = std::uncaught_exceptions();
    client::Client* client_;
    pool::CallThreads* threads_;  // not destroyed in a child, which has not their threads
};

}  // namespace procpool::detail

#if PROCPOOL_BODIES
#include <procpool/pool/pool_base.ipp>
#endif
