// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Loop: how a worker finds, runs and finishes tasks. The same for processes and threads.

#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/sync/member.hpp>
#include <procpool/task/board.hpp>
#include <procpool/task/kept_parts.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/kept_objects.hpp>
#include <procpool/worker/kept_values.hpp>
#include <procpool/worker/stop_watcher.hpp>
#include <procpool/worker/task_frame.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>

namespace procpool::inline v0::detail::worker {

/// Calls that differ between workers that are processes and workers that are threads.
struct WorkerHooks {
    codec::VisibilityOf place_of;  ///< of addresses in results
    void (*before_result)();       ///< before a result is written to shared memory, if it is while the task runs
    void (*after_task)();          ///< before a result is published, when its arguments are gone
    void (*condemned)();           ///< a verdict has been passed on the task: waits to be killed, where that can be
    void (*thread_ended)();        ///< the task ended the thread it runs on: ends the process, where the worker is one
    os::Wiped* (*wiped_word)() noexcept = nullptr;  ///< see task::TaskContext::wiped_word(); null where it is
};

/// One worker on one seat.
class Loop final : private task::TaskContext {
public:
    Loop(task::Board& board, std::uint32_t seat, const WorkerHooks& hooks) noexcept
        : board_(board),
          seat_(board.seats()[seat]),
          number_(seat),
          index_(seat_.index.load(std::memory_order_relaxed)),
          mailbox_(board.mailboxes()[index_]),
          hooks_(hooks),
          watcher_(seat_.stopper) {}

    /// Effects: runs tasks until the pool is closed and nothing is left, or until it is stopped.
    void run();

    /// Effects: runs the next pending task. Returns: false when there is none.
    bool run_one();

    /// Effects: destroys what is kept for calls that have ended, by code of the user's.
    void tidy() noexcept;

    // ---- in a task of this worker that waits, and goes on afterwards

    /// Effects: as run_one(). mail: whether the task may be one for this worker only, which must not run within another
    /// task.
    bool run_one_within(bool mail);
    /// Effects: runs that task. Returns: false when it is not pending any more, or is for another worker.
    bool run_within(task::Offer offer);
    /// Effects: runs a pending task whose end the waiter waits for. Returns: false when there is none.
    bool run_within_for(std::uint32_t waiter);
    /// Effects: runs the pending task that was submitted last, which is most likely what the caller waits for. Returns:
    /// false when there is none.
    bool run_newest_within();
    /// Effects: runs the pending task of a guest that was submitted last; first those of `own`, which most likely the
    /// caller waits for. Returns: false when there is none, or as many tasks as `most` wait in this worker.
    bool run_guests_within(sync::Stamp own, int most);
    /// Effects: makes a call as the caller's task, which goes on afterwards. Throws: any exception of the call.
    void call_within(TaskCode code, std::span<const std::byte> arguments, Writer& result) {
        TaskFrame frame{arguments, result, *this, false};
        code(frame);
    }
    /// Whether the caller is in a task that this loop runs.
    [[nodiscard]] bool is_at_work() const noexcept {
        return task::thread_context.task == static_cast<const task::TaskContext*>(this);
    }
    [[nodiscard]] task::Board& board() const noexcept { return board_; }
    /// The parker that the worker sleeps on. Called by: its task.
    [[nodiscard]] sync::Parker& parker() const noexcept { return seat_.parker; }
    /// Effects: what wakes the helpers notifies the parker of that place among sync::Members, or this worker's for 0.
    /// Called by: its task, before it is a helper.
    void sleep_as_helper_at(std::uint32_t place) noexcept { seat_.helps_at.store(place, std::memory_order_relaxed); }
    /// How many tasks wait for the one that runs.
    [[nodiscard]] int waiting() const noexcept { return waiting_; }
    [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

    /// Effects: what tasks keep in this worker is gone, as at its end.
    void drop_parts() noexcept { parts_.drop_all(); }

private:
    /// The state of the task that waits, while another one runs. Its clock goes on; a look at deadlines may learn
    /// of it later.
    class Waiting {
    public:
        explicit Waiting(Loop& loop) noexcept
            : loop_(loop),
              context_(task::thread_context),
              claim_(loop.claim_),
              items_(loop.items_),
              took_token_(std::exchange(loop.took_token_, false)),
              has_rest_(std::exchange(loop.has_rest_, false)),
              current_(loop.seat_.current.load(std::memory_order_relaxed)),
              inner_(loop.seat_.inner.load(std::memory_order_relaxed)),
              task_started_(loop.seat_.task_started.load(std::memory_order_relaxed)),
              item_(loop.seat_.item.load(std::memory_order_relaxed)),
              progress_(loop.seat_.progress.load(std::memory_order_relaxed)) {
            ++loop.waiting_;
            if (item_ >> 32 == claim_.generation && item_ != 0 &&
                loop.seat_.outer_item.load(std::memory_order_relaxed) == 0) {
                is_outer_ = true;
                loop.seat_.outer_started.store(task_started_, std::memory_order_relaxed);
                loop.seat_.outer_item.store(item_, std::memory_order_release);  // the stamp above is this task's
            }
        }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        ~Waiting() {
            --loop_.waiting_;
            task::thread_context = context_;
            loop_.claim_ = claim_;
            loop_.items_ = items_;
            loop_.took_token_ = took_token_;
            loop_.has_rest_ = has_rest_;
            loop_.seat_.current.store(current_, std::memory_order_relaxed);
            loop_.seat_.inner.store(inner_, std::memory_order_relaxed);
            loop_.seat_.progress.store(progress_, std::memory_order_relaxed);
            loop_.seat_.task_started.store(task_started_, std::memory_order_relaxed);
            loop_.seat_.item.store(item_, std::memory_order_release);  // the stamp above is this task's
            if (is_outer_) { loop_.seat_.outer_item.store(0, std::memory_order_release); }
        }

    private:
        Loop& loop_;
        task::ThreadContext context_;
        task::Claim claim_;
        std::uint64_t items_;
        bool took_token_;
        bool has_rest_;
        std::uint32_t current_;
        std::uint32_t inner_;
        std::int64_t task_started_;
        std::uint64_t item_;
        std::uint64_t progress_;
        bool is_outer_ = false;  // it has a time limit, and none around it
    };

    void run_nested(task::Claim claim);

    /// Effects: the task that the last one made ready can be had by all workers.
    void offer_made_ready() noexcept;
    /// Returns: the task that the last one made ready, now started, if it is this worker's next.
    [[nodiscard]] std::optional<task::Claim> claim_made_ready() noexcept;

    /// Mail comes first: no other worker will run it.
    [[nodiscard]] std::optional<task::Claim> next() noexcept {
        if (made_ready_.slot != task::ReadySet::nothing) [[unlikely]] {
            if (const std::optional<task::Claim> claim = claim_made_ready()) { return claim; }
        }
        if (!mailbox_.was_empty()) {
            if (const std::optional<task::Claim> claim = board_.claim_mail(index_, number_)) {
                board_.wake_for_ready();  // for those that the last task made ready: this one may take long
                return claim;
            }
        }
        return board_.claim(number_);
    }

    /// Whether there was no task for this worker a moment ago.
    [[nodiscard]] bool was_idle() const noexcept { return board_.queue.was_empty() && mailbox_.was_empty(); }

    [[nodiscard]] bool must_leave() const noexcept { return !board_.control.goes_on(); }

    /// Returns: a task for this worker, now started, where no other of its index follows.
    [[nodiscard]] std::optional<task::Claim> last_mail() noexcept {
        if (seat_.dismissal.load(std::memory_order_relaxed) != task::Dismissal::surplus) { return std::nullopt; }
        return board_.claim_mail(index_, number_);
    }

    /// Whether the worker leaves now; the tasks that are left run on others.
    [[nodiscard]] bool must_make_room() const noexcept {
        return is_dismissed() || (board_.control.items_per_worker != 0 && item_budget() == 0);
    }
    /// Whether it takes no more tasks, nor items of the one that it runs.
    [[nodiscard]] bool is_dismissed() const noexcept {
        return !board_.control.orders.glance().nothing() && is_dismissed_by(board_.control.orders.glance());
    }
    [[nodiscard]] bool is_dismissed_by(task::Orders::Told told) const noexcept {
        return leaves_by(told) || waits_by(told);
    }
    [[nodiscard]] bool leaves_by(task::Orders::Told told) const noexcept {
        return told.refork() != task::Refork::none ||
               (told.is_personal() && seat_.dismissal.load(std::memory_order_relaxed) != task::Dismissal::none);
    }
    [[nodiscard]] bool waits_by(task::Orders::Told told) const noexcept {
        return told.is_paused() && seat_.goes_on.load(std::memory_order_seq_cst) == 0;
    }
    /// Whether it is dismissed only until a pause ends.
    [[nodiscard]] bool must_sit_out() const noexcept;
    /// Effects: waits until the pause may have ended, but for tasks that no other worker runs.
    void sit_out();

    void run_task(task::Claim claim);

    /// Effects: clears this task's record on the seat, which a task of the same generation, 2^32 later, would take for
    /// its own. Requires: the task is decided; before that, its deadline depends on the stamp.
    void forget_items() noexcept {
        seat_.item.store(0, std::memory_order_relaxed);
        seat_.progress.store(0, std::memory_order_relaxed);
    }

    /// Effects: encodes the exception as the result; or, without memory for it, the exception that says so, which fits
    /// into the slot's first line.
    static void encode_error(Writer& out, const std::exception_ptr& thrown);

    void start_clock() noexcept {
        seat_.task_started.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
        seat_.item.store(std::uint64_t{claim_.generation} << 32,
                         std::memory_order_release);  // the stamp above is this task's
        has_rest_ = true;
    }

    void count_items(std::uint64_t items) noexcept {
        const auto done = seat_.items_done.load(std::memory_order_relaxed);
        seat_.items_done.store(done + static_cast<std::uint32_t>(items), std::memory_order_relaxed);
    }

    // ---- what tasks ask for

    [[nodiscard]] bool stop_requested() const noexcept override {
        // relaxed: the request carries nothing but itself. A slot where no request has been made has none.
        const std::uint64_t request = board_.all_slots()[claim_.slot].stop_request.load(std::memory_order_relaxed);
        return request != 0 && request == id();
    }

    [[nodiscard]] PROCPOOL_DECL std::stop_token stop_token() override;

    // relaxed: it was written before the task was claimed, and stays until it is decided.
    [[nodiscard]] std::uint64_t id() const noexcept override {
        return board_.number_of(claim_.slot).load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::string_view label() const noexcept override { return board_.label_of(claim_.slot); }
    [[nodiscard]] const task::Board& board_of_task() const noexcept override { return board_; }

    [[nodiscard]] os::Wiped* wiped_word() const noexcept override {
        return hooks_.wiped_word == nullptr ? nullptr : hooks_.wiped_word();
    }
    void leave_if_impostor() override { hooks_.before_result(); }

    [[nodiscard]] std::uint64_t item_budget() const noexcept override {
        if (is_dismissed()) { return items_ == 0 ? 1 : 0; }  // it was claimed, so it makes progress
        const std::uint64_t most = board_.control.items_per_worker;
        if (most == 0) { return UINT64_MAX; }
        const std::uint64_t done = seat_.items_done.load(std::memory_order_relaxed);
        return done < most ? most - done : 0;
    }

    void start_items(unsigned attempt) noexcept override { task::thread_context.attempt = attempt; }

    PROCPOOL_DECL bool finish_items(std::uint64_t done, const Writer& result) override;

    [[nodiscard]] std::shared_ptr<const void> kept(std::uint64_t call) const noexcept override {
        return kept_.of(call);
    }
    PROCPOOL_DECL void keep(std::uint64_t call, const std::byte* from,
                            std::shared_ptr<const void> object) noexcept override;
    [[nodiscard]] PROCPOOL_DECL std::shared_ptr<const void> kept_value(std::uint64_t number) override;
    PROCPOOL_DECL void keep_value(std::uint64_t number, const std::byte* from,
                                  std::shared_ptr<const void> value) override;

    [[nodiscard]] task::KeptParts& parts() noexcept override { return parts_; }
    void restart_clock_of_item();

    /// Looks for work for about as long as a wake-up costs, if not too many do so already; then sleeps until it is
    /// woken.
    inline void search_or_sleep();

    /// Then no submitter relies on it to look for work, so it need not say that it does.
    [[nodiscard]] bool is_alone() const noexcept { return board_.control.places == 1 && !board_.has_companion(); }

    /// Sleeps until it is woken, if there is nothing for it and others may still come.
    void sleep();
    /// As sleep(). Others may have relied on it to look for work.
    void sleep_among_others();

    /// The first task of a search is claimed: a submitter that relied on this worker to look for more is served by
    /// another.
    void stop_searching() noexcept;

    /// Returns: true when there is something to do.
    [[nodiscard]] bool spin() const noexcept;

    /// Lets a result grow into its slot's memory; one that fits into the slot's first line is copied there when the
    /// task has ended.
    struct Results {
        task::Board& board;
        task::Claim claim;
        const WorkerHooks& hooks;
        std::array<std::byte, task::Slot::inline_bytes> first;
        static std::span<std::byte> grow(void* self, std::span<std::byte> current, std::size_t used, std::size_t need) {
            auto& [board, claim, hooks, first] = *static_cast<Results*>(self);
            if (current.data() == first.data()) { hooks.before_result(); }
            reach(FaultPoint::result_half);
            return board.results.grow(claim.slot, claim.generation, current, used, need);
        }
    };

    task::Board& board_;
    task::Seat& seat_;
    const char* const pool_name_ = board_.control.name.data();  // in memory, for os::probe
    std::uint32_t number_;
    std::uint32_t index_;  // of the worker
    const task::Mailbox& mailbox_;
    const WorkerHooks& hooks_;
    StopWatcher watcher_;
    KeptObjects kept_;
    KeptValues values_;
    bool keeps_ = false;  // one of the two may have some
    task::Claim claim_{};
    task::Offer made_ready_{task::ReadySet::nothing, 0};  // by the last task; in no queue, and claimed next
    std::uint64_t items_ = 0;                             // of the task that runs, finished and counted
    int waiting_ = 0;
    bool took_token_ = false;
    bool has_rest_ = false;   // the task leaves something to be done once it is decided
    bool searching_ = false;  // others may rely on this worker to look for work
    task::KeptParts parts_;
};

}  // namespace procpool::detail::worker

#if PROCPOOL_BODIES
#include <procpool/worker/loop.ipp>
#endif
