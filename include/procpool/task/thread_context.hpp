// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// TaskContext: the services of a worker to the task that it runs. ThreadContext: which worker a thread is, and its
/// task.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string_view>

namespace procpool::inline v0 {

class Writer;

namespace detail::worker {
class State;
}
namespace detail::os {
enum class Wiped : std::uint64_t;
}

namespace detail::task {

class Board;
class KeptParts;

/// The services of a worker to the task that it runs.
class TaskContext {
public:
    /// Whether a stop of this task, and no other, was requested. Costs one load.
    [[nodiscard]] virtual bool stop_requested() const noexcept = 0;
    /// Returns: the request as a token; the first call makes a thread that watches for the request.
    [[nodiscard]] virtual std::stop_token stop_token() = 0;

    /// Returns: the task's number, which no other task of the pool ever has.
    [[nodiscard]] virtual std::uint64_t id() const noexcept = 0;
    /// The label of the task; empty when it has none.
    [[nodiscard]] virtual std::string_view label() const noexcept = 0;

    /// The board that the task is on: results of other tasks lie there.
    [[nodiscard]] virtual const Board& board_of_task() const noexcept = 0;

    // For tasks that call a function for many items:

    /// Returns: a word for this task's use that reads as 0 in a child which an item has forked; null where such a child
    /// cannot be distinguished from its parent.
    [[nodiscard]] virtual os::Wiped* wiped_word() const noexcept = 0;
    /// Effects: ends a process that is not the worker, but was forked by a task that came back in it.
    virtual void leave_if_impostor() = 0;
    /// How many items the task may begin before its worker must be replaced.
    [[nodiscard]] virtual std::uint64_t item_budget() const noexcept = 0;
    /// Records that the first item that begins now has been tried `attempt` times before, and the others never.
    virtual void start_items(unsigned attempt) noexcept = 0;
    /// Effects: records that `done` items are finished, with the results that `result` holds; these survive the
    /// worker's death. Where the next item has a time limit, its time starts now. Does not return if the item before
    /// has exceeded its own.
    /// Returns: whether the next item may begin: the task is not asked to stop, and item_budget() is not 0.
    virtual bool finish_items(std::uint64_t done, const Writer& result) = 0;

    // For what the chunks of a call have in common:

    /// Returns: what an earlier task has given to keep() for that call; null when nothing is kept.
    [[nodiscard]] virtual std::shared_ptr<const void> kept(std::uint64_t call) const noexcept = 0;
    /// Keeps an object for later tasks of that call, until the call ends or others have taken the place. from: the
    /// call's memory that it was made of, see Extents::is_of_call().
    virtual void keep(std::uint64_t call, const std::byte* from, std::shared_ptr<const void> object) noexcept = 0;

    // For values that many tasks refer to:

    /// Returns: what an earlier task has given to keep_value() for that number; null when nothing is kept.
    [[nodiscard]] virtual std::shared_ptr<const void> kept_value(std::uint64_t number) = 0;
    /// Keeps a value for later tasks, until its memory is another's. from: as of keep(). Throws: std::bad_alloc.
    virtual void keep_value(std::uint64_t number, const std::byte* from, std::shared_ptr<const void> value) = 0;
    /// The values that the worker keeps between tasks.
    [[nodiscard]] virtual KeptParts& parts() noexcept = 0;

protected:
    ~TaskContext() = default;
};

/// ThreadContext of a thread: which worker it is, if it is one, and the task that it runs.
struct ThreadContext {
    bool in_worker = false;
    std::uint32_t index = 0;
    std::int32_t pid = 0;
    std::uint32_t attempt = 0;
    TaskContext* task = nullptr;           ///< of the task that runs
    const char* pool = nullptr;            ///< name of the pool it works for; may be null
    void* object = nullptr;                ///< of the actor that it serves
    const worker::State* state = nullptr;  ///< what the initializer has returned
};
inline thread_local constinit ThreadContext thread_context{};

/// How many pools this process is inside of. Counted in every forked worker, for all its threads.
inline constinit unsigned depth = 0;
inline constexpr unsigned deepest = 10;

}  // namespace detail::task

}  // namespace procpool
