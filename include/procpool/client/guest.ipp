// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/guest.hpp>

#include <procpool/client/observer.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/futex.hpp>
#include <procpool/os/per_process.hpp>
#include <procpool/os/probes.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/throw_place.hpp>
#include <procpool/os/ticks.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/sync/member.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/process.hpp>
#include <procpool/worker/task_frame.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::client {

/// The tasks of this process as a guest whose results may be in their slots.
class GuestTasks : public os::OfOneProcess {
public:
    [[nodiscard]] static GuestTasks& of_this_process() {
        static constinit os::PerProcess<GuestTasks> of_process;
        return of_process.get([] { return new GuestTasks; });
    }

    void add(GuestTask& task) noexcept {
        const std::lock_guard guard{mutex_};
        task.is_listed_ = true;
        task.next_ = std::exchange(first_, &task);
        if (task.next_ != nullptr) { task.next_->before_ = &task; }
    }
    /// Requires: mutex() is locked.
    void remove(GuestTask& task) noexcept {
        if (!std::exchange(task.is_listed_, false)) { return; }
        if (task.next_ != nullptr) { task.next_->before_ = task.before_; }
        (task.before_ != nullptr ? task.before_->next_ : first_) = task.next_;
    }
    /// Effects: results of decided tasks leave their slots. Returns: whether there was any.
    bool take_over(const task::Board& board) {
        const std::lock_guard guard{mutex_};
        bool any = false;
        for (GuestTask* task = first_; task != nullptr;) {
            GuestTask& one = *std::exchange(task, task->next_);
            if (&one.board() != &board || !one.is_decided()) { continue; }
            if (!one.has_left_.load(std::memory_order_relaxed)) {
                one.take_over();
                any = true;
            }
            remove(one);
        }
        return any;
    }
    [[nodiscard]] std::mutex& mutex() noexcept { return mutex_; }
    /// A slot that may be free.
    [[nodiscard]] std::uint32_t near() const noexcept { return near_.load(std::memory_order_relaxed); }
    void set_near(std::uint32_t slot) noexcept { near_.store(slot, std::memory_order_relaxed); }

private:
    std::mutex mutex_;
    GuestTask* first_ = nullptr;
    std::atomic<std::uint32_t> near_{0};
};

/// Lies in a guest's slot in the place of arguments: where these are, the code before them. All of it is in memory
/// that tasks may overwrite, and so only looked at by workers.
struct GuestCall {
    const std::byte* at;
    std::size_t size;
};
static_assert(sizeof(GuestCall) == task::Slot::inline_bytes);

/// The code of guests' tasks, as their slots name it: the arguments lie elsewhere, so that the worker's loop need not
/// ask where. Throws: any exception of the task.
inline void run_guest_call(TaskFrame& frame) {
    GuestCall call{};
    std::memcpy(&call, frame.arguments.data(), sizeof call);
    TaskCode code = nullptr;
    std::memcpy(&code, call.at, sizeof code);
    TaskFrame inner{{call.at + sizeof code, call.size - sizeof code}, frame.result, frame.host, frame.timed};
    code(inner);
}

/// The meaning of an address for the workers of that board.
[[nodiscard]] inline codec::VisibilityOf place_for(const task::Board& board) noexcept {
    return os::is_process(board.guests.creator()) ? place_for_children : worker::place_for_parent;
}

PROCPOOL_DECL GuestBoard board_of_this_task() noexcept {
    const worker::Loop* const loop = worker::loop_at_work();
    return loop == nullptr ? GuestBoard{} : GuestBoard{&loop->board(), loop->board().guests.id()};
}

/// Effects: the supervisor looks at the running tasks. Its bell is the parent's; the signal of a child's end wakes it
/// too.
inline void wake_supervisor(const task::Board& board) noexcept {
    const std::int32_t supervisor = board.control.supervisor_pid.load(std::memory_order_relaxed);
    if (supervisor > 0) { os::signal_child(supervisor, SIGCHLD); }
}

/// Returns: the loop of the worker that the caller is a task of, if it may run others of this board meanwhile.
[[nodiscard]] inline worker::Loop* loop_of(const task::Board& board) noexcept {
    worker::Loop* const loop = worker::loop_at_work();
    return loop != nullptr && &loop->board() == &board && !board.actor.is_one ? loop : nullptr;
}

/// Whether the caller is a call of the actor whose board it is: its calls do not overlap.
[[nodiscard]] inline bool is_within_actor(const task::Board& board) noexcept {
    const worker::Loop* const loop = worker::loop_at_work();
    return board.actor.is_one && loop != nullptr && &loop->board() == &board;
}

/// Whether the supervisor of a pool that guests from everywhere use has been killed, so that nobody decides tasks.
[[nodiscard]] inline bool is_abandoned(const task::Board& board) noexcept {
    const sync::Stamp supervisor = board.control.supervisor.load(std::memory_order_acquire);
    return supervisor != sync::nobody && !sync::Members::is_alive(supervisor) &&
           board.control.supervisor.load(std::memory_order_acquire) == supervisor;
}

/// Throws: what the life of the pool says against a new task.
inline void require_open(GuestBoard at) {
    if (!at.is_there()) { throw PoolClosed{}; }
    const task::Life life = at.board->control.life.load(std::memory_order_seq_cst);
    if (life == task::Life::open && !is_abandoned(*at.board)) { return; }
    // A pool's own tasks may go on while it closes: their worker is there to run what they submit.
    if (life == task::Life::closing && loop_of(*at.board) != nullptr) { return; }
    if (life == task::Life::open) {
        if (at.board->actor.is_one) {
            throw actor_died(at.board->actor.last_death(), std::string(task::text_within(at.board->control.name)));
        }
        throw PoolBroken("procpool: " + core::sentence(Ending::broken, {.reason = "its supervisor was killed"}));
    }
    throw_ended(*at.board);
}

/// Tasks that wait within others take their part of the stack: beyond this many, a worker runs only what they wait for.
inline constexpr int deepest_helper = 32;

/// The longest that a wait lasts before it looks again whether those it waits for live.
inline constexpr std::chrono::milliseconds guest_looks_again{100};

/// Waits for room on a board, by turns: wait() registers, so the caller looks once more; then it sleeps until there
/// may be room, or for a while.
class RoomWait {
public:
    explicit RoomWait(task::Board& board) noexcept : board_(board) {}
    void wait() noexcept {
        if (std::exchange(is_registered_, !is_registered_)) {
            os::futex_wait(board_.guests.room(), seen_, sync::slice(Deadline::never(), guest_looks_again));
        } else {
            seen_ = board_.await_room();
        }
    }

private:
    task::Board& board_;
    bool is_registered_ = false;
    std::uint32_t seen_ = 0;
};

/// Returns: a slot that is the caller's; nothing where the caller is a task of the pool and all slots are tasks' that
/// run, or wait for such. Throws: as require_open(); as GuestTasks::take_over().
[[nodiscard]] inline std::optional<std::uint32_t> take_slot(GuestBoard at, GuestTasks& tasks, sync::Stamp own) {
    constexpr int looks_before_sleep = 100;
    RoomWait room{*at.board};
    task::Guests& guests = at.board->guests;
    const auto is_open = [&] {  // the life first: that of another board comes with another id
        const task::Life life = at.board->control.life.load(std::memory_order_seq_cst);
        return (life == task::Life::open || (life == task::Life::closing && loop_of(*at.board) != nullptr)) &&
               at.is_there();
    };
    for (int attempt = 0;; ++attempt) {
        if (const std::optional<std::uint32_t> slot = guests.take(own, tasks.near(), at.id, is_open)) { return slot; }
        require_open(at);
        if (tasks.take_over(*at.board) || guests.sweep(at.board->results, own)) { continue; }
        if (worker::Loop* const loop = loop_of(*at.board)) {
            if (!loop->run_guests_within(own, deepest_helper)) { return std::nullopt; }
            continue;
        }
        attempt < looks_before_sleep ? os::yield() : room.wait();
    }
}

PROCPOOL_DECL void check_code_of_parent(std::uintptr_t address) {
    if (worker::parents_code != nullptr && !worker::parents_code->contain(address)) {
        throw CodecError("procpool: this task's code was loaded by this worker, and the others do not have it");
    }
}

PROCPOOL_DECL GuestTask* submit_as_guest(GuestBoard to, const Submission& submission, Encode encode) {
    require_open(to);
    check_code_of_parent(reinterpret_cast<std::uintptr_t>(submission.code));
    GuestTasks& tasks = GuestTasks::of_this_process();
    struct Release {
        void operator()(GuestTask* task) const noexcept { task->release(); }
    };
    const sync::Stamp own = task::Guests::own_stamp();
    task::Board& board = *to.board;
    if (board.guests.has_many_detached()) { board.guests.sweep(board.results, own); }
    auto* const task = new GuestTask{to, submission};
    try {
        const std::optional<std::uint32_t> slot = take_slot(to, tasks, own);
        if (!slot) {
            task->run_here(*loop_of(board), submission, encode);
            tasks.add(*task);
            return task;
        }
        task->slot_ = *slot;
    } catch (...) {
        delete task;
        throw;
    }
    struct Growth {
        task::Board& board;
        std::uint32_t slot;
        static std::span<std::byte> grow(void* self, std::span<std::byte> current, std::size_t used, std::size_t need) {
            auto& [board, slot] = *static_cast<Growth*>(self);
            return board.guests.grow(board.results.extents(), slot, current, used, need);
        }
    } growth{board, task->slot_};
    Writer out{board.guests.first_buffer(task->slot_), Growth::grow, &growth, place_for(board)};
    try {
        out.write(&submission.code, sizeof submission.code);
        encode(out);
    } catch (...) {
        board.guests.give_back(board.results, task->slot_);
        delete task;
        throw;
    }
    const GuestCall call{out.buffer().data(), out.size()};
    std::memcpy(board.all_slots()[task->slot_].argument.data(), &call, sizeof call);
    task->fill(submission);
    tasks.add(*task);
    std::unique_ptr<GuestTask, Release> held{task};
    held->publish(submission);
    return held.release();
}

PROCPOOL_DECL GuestTask::GuestTask(GuestBoard at, const Submission& submission)
    : Holder(guest),
      at_(at),
      process_(os::process_token()),
      timeout_(std::max(submission.timeout, std::chrono::nanoseconds{0})),
      label_(submission.label) {}

PROCPOOL_DECL task::Word GuestTask::word() const noexcept {
    return task::Word{board().all_slots()[slot_].word.load(std::memory_order_acquire)};
}

PROCPOOL_DECL task::Offer GuestTask::offer() const noexcept { return {slot_, generation_}; }

PROCPOOL_DECL bool GuestTask::has_left() const noexcept {
    return has_left_.load(std::memory_order_acquire) || !at_.is_there() || word().generation() != generation_;
}

/// Not inline: GCC 12 does not see that only what a parcel holds is moved.
[[gnu::noinline]] PROCPOOL_DECL Parcel GuestTask::done_with(Ending ending) { return Parcel{task::Phase::done, ending}; }

PROCPOOL_DECL void GuestTask::run_here(worker::Loop& loop, const Submission& submission, Encode encode) {
    std::vector<std::byte> arguments(256);
    Writer in{arguments, codec::grow_vector, &arguments, place_for(board())};
    encode(in);
    std::vector<std::byte> result(256);
    Writer out{result, codec::grow_vector, &result, place_for(board())};
    Ending ending = Ending::value;
    try {
        loop.call_within(submission.code, std::span{arguments}.first(in.size()), out);
    } catch (const os::NeverThrown&) { throw; } catch (...) {
        const std::exception_ptr thrown = std::current_exception();
        if (!thrown) { throw; }  // pthread_exit(), which unwinds the thread
        ending = Ending::exception;
        out.rewind(0);
        codec::encode_exception(out, thrown);
    }
    kept_ = done_with(ending);
    kept_.copy(std::span{result}.first(out.size()));
    has_left_.store(true, std::memory_order_release);
}

/// Effects: writes all of the slot but its arguments and its word.
PROCPOOL_DECL void GuestTask::fill(const Submission& submission) {
    task::Slot& slot = board().all_slots()[slot_];
    task::Guest& own = board().guests.guest(slot_);
    generation_ = word().generation();
    number_ = board().guests.next_number();
    slot.code = reinterpret_cast<std::uintptr_t>(&run_guest_call);
    slot.argument_bytes = sizeof(GuestCall);
    slot.result_bytes = 0;
    slot.attempt = 0;
    const bool limited = timeout_.count() > 0 || submission.retries > 0;
    int traits = limited ? task::Slot::limited : 0;
    if (!label_.empty()) {
        board().label(slot_).set(label_);
        traits |= task::Slot::labelled;
    }
    if (board().control.trace_id != 0) {
        board().label(slot_).queued = log::trace_time();
        board().label(slot_).started.store(0, std::memory_order_relaxed);
        traits |= task::Slot::traced;
    }
    if (board().control.measures) {
        if (const std::uint16_t stands_for = Observer::share_of(number_)) {
            slot.stands_for = stands_for;
            slot.submitted = os::ticks();
            traits |= task::Slot::measured;
        }
    }
    own.issue.timeout.store(timeout_.count(), std::memory_order_relaxed);
    own.issue.retries = static_cast<std::uint16_t>(std::min<std::uint32_t>(submission.retries, UINT16_MAX));
    own.issue.traits.store(static_cast<std::uint8_t>(traits), std::memory_order_relaxed);
    slot.traits.store(static_cast<std::uint8_t>(traits), std::memory_order_relaxed);
    own.sleeper.store(0, std::memory_order_relaxed);
    own.number.store(number_, std::memory_order_relaxed);  // released by the word
}

/// Throws: PoolClosed, when the pool is closed meanwhile.
PROCPOOL_DECL void GuestTask::publish(const Submission& submission) {
    task::Board& board = this->board();
    // The deadline comes before the publication: the task may start at once.
    const Deadline expires = submission.timeout.count() > 0 ? Deadline::after(submission.timeout) : Deadline::never();
    const char* const pool = board.control.name.data();
    os::probe::submit(pool, number_, slot_, generation_);
    const task::Offer published = board.guests.publish(slot_);
    RoomWait room{board};
    while (!board.push_guest(published) && word().phase() == task::Phase::pending) {
        if (worker::Loop* const loop = loop_of(board); loop != nullptr && loop->run_within(published)) { break; }
        room.wait();
        if (board.control.life.load(std::memory_order_seq_cst) > task::Life::closing || is_abandoned(board)) { break; }
    }
    // The pool may have been ended since life was looked at; seq_cst: as Client::publish().
    const task::Life life = board.control.life.load(std::memory_order_seq_cst);
    if (life > task::Life::closing) {
        board.lose_pending(slot_, generation_, task::ending_by(life));
    } else if (life == task::Life::closing && loop_of(board) == nullptr && board.withdraw_guest(published)) {
        throw PoolClosed{};
    }
    if (submission.timeout.count() > 0 &&
        expires.when().time_since_epoch().count() < board.control.armed.load(std::memory_order_seq_cst)) {
        wake_supervisor(board);
    }
}

PROCPOOL_DECL bool GuestTask::is_decided() const noexcept { return has_left() || word().finished(); }

PROCPOOL_DECL bool GuestTask::is_running() const noexcept {
    return !has_left() && word().phase() == task::Phase::started;
}

PROCPOOL_DECL bool GuestTask::poll() noexcept {
    constexpr std::uint32_t now_and_then = 256;
    if (!is_decided() && polls_.fetch_add(1, std::memory_order_relaxed) % now_and_then == 0) { check_pool(); }
    return is_decided();
}

PROCPOOL_DECL void GuestTask::check_pool() noexcept {
    if (has_left()) { return; }
    task::Board& board = this->board();
    const bool ended = board.control.ended.load(std::memory_order_acquire) != 0;
    if (ended || is_abandoned(board)) {
        const task::Life life = board.control.life.load(std::memory_order_seq_cst);
        board.lose(slot_, generation_, life <= task::Life::closing && !ended ? Ending::broken : task::ending_by(life));
    } else if (word().phase() == task::Phase::pending) {
        // A task may have written where the ring is.
        if (board.guests.is_offered(offer()) || !board.push_guest(offer())) { board.wake_for_guest(); }
    }
}

PROCPOOL_DECL void GuestTask::require_other_actor() const {
    const worker::Loop* const loop = worker::loop_at_work();
    if (loop != nullptr && &loop->board() == &board() && board().actor.is_one) { core::throw_call_within_call(); }
}

PROCPOOL_DECL bool GuestTask::help() {
    worker::Loop* const loop = loop_of(board());
    if (loop == nullptr) { return false; }
    return (word().phase() == task::Phase::pending && !has_left() && loop->run_within(offer())) ||
           loop->run_guests_within(task::Guests::own_stamp(), deepest_helper);
}

PROCPOOL_DECL bool GuestTask::wait(Deadline deadline) {
    if (is_decided()) { return true; }
    worker::Loop* const loop = loop_of(board());
    return loop != nullptr ? wait_and_help(*loop, deadline) : sleep(deadline);
}

/// Returns: whether the flag is set and the task is still to be decided.
PROCPOOL_DECL bool GuestTask::set_flag(std::uint64_t flag) noexcept {
    std::atomic<std::uint64_t>& word = board().all_slots()[slot_].word;
    std::uint64_t bits = word.load(std::memory_order_acquire);
    for (;;) {
        const task::Word seen{bits};
        if (seen.generation() != generation_ || seen.finished()) { return false; }
        if (seen.with_flag(flag).bits() == bits) { return true; }
        if (seen.is_finishing()) { return false; }  // any moment now
        // seq_cst: before the look at what there is to do.
        if (word.compare_exchange_weak(bits, seen.with_flag(flag).bits(), std::memory_order_seq_cst)) { return true; }
    }
}

PROCPOOL_DECL bool GuestTask::call_when_decided(std::uint32_t place) noexcept {
    if (is_decided()) { return false; }
    board().guests.guest(slot_).sleeper.store(task::Guest::member | place, std::memory_order_relaxed);
    return set_flag(task::Word::parked_bit);  // releases it
}

PROCPOOL_DECL worker::Loop* GuestTask::helper() const noexcept { return loop_of(board()); }

PROCPOOL_DECL Helping::Helping(worker::Loop* loop, std::uint32_t place) noexcept
    : loop_(loop != nullptr && loop->waiting() < deepest_helper ? loop : nullptr) {
    if (loop_ == nullptr) { return; }
    // Before the look for what is pending, and before the set says so: seq_cst, see SeatSet.
    loop_->sleep_as_helper_at(place);
    loop_->board().guests.helping.add(loop_->number());
}

PROCPOOL_DECL Helping::~Helping() {
    if (loop_ != nullptr) { loop_->board().guests.helping.remove(loop_->number()); }
}

PROCPOOL_DECL bool Helping::may_help() const noexcept {
    return loop_ != nullptr && loop_->board().guests.first_pending();
}

PROCPOOL_DECL bool GuestTask::wait_and_help(worker::Loop& loop, Deadline deadline) {
    for (int round = 0; !is_decided();) {
        if (help()) {
            round = 0;
            continue;
        }
        if (deadline.passed()) { return is_decided(); }
        if (++round <= os::spin_rounds) {
            for (int i = 0; i < os::looks_per_round && !is_decided(); ++i) { relax(); }
            os::yield();
        } else {
            park(loop, deadline);
        }
    }
    return true;
}

/// Blocks until the task may be decided, another one may be helped with, or a while has passed.
PROCPOOL_DECL void GuestTask::park(worker::Loop& loop, Deadline deadline) {
    task::Board& board = this->board();
    board.guests.guest(slot_).sleeper.store(loop.number() + 1, std::memory_order_relaxed);  // released by the flag
    if (!set_flag(task::Word::parked_bit)) { return; }
    const Helping helping{&loop, 0};
    reach(FaultPoint::guest_parked);
    if (!is_decided() && !helping.may_help()) { loop.parker().park(sync::slice(deadline, guest_looks_again)); }
}

PROCPOOL_DECL bool GuestTask::sleep(Deadline deadline) {
    if (deadline.is_never() && is_within_actor(board())) { core::throw_call_within_call(); }
    for (int round = 0; round < os::spin_rounds; ++round) {
        for (int i = 0; i < os::looks_per_round; ++i) {
            if (is_decided()) { return true; }
            relax();
        }
        if (deadline.passed()) { return is_decided(); }
        os::yield();
    }
    std::atomic<std::uint64_t>& word = board().all_slots()[slot_].word;
    while (!is_decided()) {
        if (deadline.passed()) { return is_decided(); }
        if (set_flag(task::Word::asleep_bit)) {
            const task::Word seen = this->word();
            const sync::Stamp supervisor = board().control.supervisor.load(std::memory_order_acquire);
            if (seen.is_slept_on() && !seen.finished() && seen.generation() == generation_) {
                const auto low = static_cast<std::uint32_t>(seen.bits());
                std::atomic<std::uint32_t>& half = task::Guests::half_of(word);
                if (supervisor != sync::nobody) {
                    sync::Members::wait(half, low, supervisor, deadline);
                } else {
                    os::futex_wait(half, low, sync::slice(deadline, guest_looks_again));
                }
            }
        } else {
            os::yield();
        }
        if (!is_decided()) { check_pool(); }
    }
    return true;
}

PROCPOOL_DECL bool GuestTask::cancel() noexcept {
    if (has_left()) { return false; }
    if (board().withdraw_guest(offer())) { return true; }
    board().request_stop_if(slot_, [&](task::Word seen) { return seen.generation() == generation_; });
    return false;
}

PROCPOOL_DECL bool GuestTask::kill() noexcept {
    if (has_left() || is_decided()) { return false; }
    if (cancel()) { return true; }
    if (!board().condemn(slot_, generation_, Ending::cancelled)) { return false; }
    board().guests.count_cancelled();
    wake_supervisor(board());
    return true;
}

PROCPOOL_DECL Parcel GuestTask::describe_failure(Ending ending) const {
    const task::Slot& slot = board().all_slots()[slot_];
    auto failure = std::make_unique<Failure>();
    failure->ending = ending;
    failure->timeout = timeout_;
    failure->label = label_;
    if (ending == Ending::died) {
        failure->death = {slot.pid, slot.exit_status, board().crashes.of(number_)};
    } else if (ending == Ending::memory_exceeded) {
        failure->death.pid = slot.pid;
        failure->death.status = slot.exit_status;
        failure->death.excess = {board().issue_of(slot_).excess, board().control.kill_rss};
    } else if (board().actor.is_one && is_end_of_actor(ending)) {
        failure->death = board().actor.last_death();
    }
    failure->of_actor = board().actor.is_one;
    if (failure->of_actor && label_.empty() && is_end_of_actor(ending)) {
        failure->label = task::text_within(board().control.name);
    }
    if (ending == Ending::broken) {
        failure->reason = at_.is_there() ? board().from_workers.reason() : std::string_view{"it is gone"};
    }
    return Parcel{task::Phase::lost, std::move(failure)};
}

[[gnu::noinline]] PROCPOOL_DECL Parcel GuestTask::describe(task::Word decided) const {
    if (!at_.is_there()) { return describe_failure(Ending::broken); }
    if (decided.generation() != generation_) { return describe_failure(Ending::overwritten); }
    const Ending ending = board().all_slots()[slot_].ending(decided.phase());
    return decided.phase() == task::Phase::done ? Parcel{decided.phase(), ending} : describe_failure(ending);
}

PROCPOOL_DECL void GuestTask::take_over() {
    const task::Word decided = word();
    kept_ = describe(decided);
    if (decided.phase() == task::Phase::done) { kept_.copy(board().results.payload(slot_)); }
    has_left_.store(true, std::memory_order_release);
    board().guests.give_back(board().results, slot_);
}

PROCPOOL_DECL Taken GuestTask::take() {
    GuestTasks& tasks = GuestTasks::of_this_process();
    const std::lock_guard guard{tasks.mutex()};
    if (!has_left_.load(std::memory_order_relaxed)) {
        const task::Word decided = word();
        if (has_left()) {  // to whom, nobody knows
            kept_ = describe(decided);
            has_left_.store(true, std::memory_order_release);
        } else if (decided.phase() == task::Phase::done) {  // it is decoded where it lies
            kept_ = describe(decided);
            kept_.refer(board(), slot_);
            has_left_.store(true, std::memory_order_release);
        } else {
            take_over();
        }
        tasks.set_near(slot_);
    }
    return Taken{place_for(board()), std::move(kept_)};
}

/// Whether the task failed whose result that is.
[[nodiscard]] inline bool has_failed(const Parcel& result) noexcept {
    return result.phase() == task::Phase::done ? result.ending() == Ending::exception
                                               : core::is_failure(result.ending());
}

PROCPOOL_DECL void GuestTask::give_up() noexcept {
    GuestTasks& tasks = GuestTasks::of_this_process();
    {
        const std::lock_guard guard{tasks.mutex()};
        tasks.remove(*this);
        if (!has_left()) {
            board().guests.detach(board().results, slot_, is_observed_.load(std::memory_order_relaxed));
        } else if (at_.is_there() && kept_ && !is_observed_.load(std::memory_order_relaxed) && has_failed(kept_)) {
            board().guests.count_unobserved();
        }
    }
    delete this;
}

}  // namespace procpool::detail::client
