// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Loop: how a worker finds, runs and finishes tasks. The same for processes and threads.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/core/platform.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/task/board.hpp>
#include <procpool/worker/stop_watcher.hpp>
#include <procpool/worker/task_frame.hpp>
#include <procpool/worker/this_worker.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <utility>

namespace procpool::inline v0::detail::worker {

/// What differs between workers that are processes and workers that are threads.
struct Host {
    PlaceOf place_of;         ///< of addresses in results
    void (*before_result)();  ///< before a result is written to shared memory, if it is while the task runs
    void (*after_task)();     ///< before a result is published, when its arguments are gone
    void (*condemned)();      ///< a verdict has been passed on the task: waits to be killed, where that can be
    void (*thread_ended)();   ///< the task ended the thread it runs on: ends the process, where the worker is one
    os::Wiped* (*wiped_word)() noexcept = nullptr;  ///< see task::TaskContext::wiped_word(); null where it is
};

/// One worker on one seat.
class Loop final : private task::TaskContext {
public:
    Loop(task::Board& board, std::uint32_t seat, const Host& host) noexcept
        : board_(board),
          seat_(board.seats()[seat]),
          number_(seat),
          index_(seat_.index.load(std::memory_order_relaxed)),
          mail_(board.mail()[index_]),
          host_(host),
          watcher_(seat_.stopper) {}

    /// Effects: runs tasks until the pool is closed and nothing is left, or until it is stopped.
    void run() {
        for (;;) {
            if (must_make_room()) { return; }
            if (const std::optional<task::Claim> claim = next()) {
                if (searching_) { stop_searching(); }
                run_task(*claim);
            } else if (must_leave()) {
                if (was_idle()) { return; }  // what was published before the end shows now, if it did not a moment ago
            } else {
                search_or_sleep();
            }
        }
    }

    /// Effects: runs the next pending task. Returns: false when there is none.
    bool run_one() {
        const std::optional<task::Claim> claim = next();
        if (claim) { run_task(*claim); }
        return claim.has_value();
    }

    // ---- in a task of this worker that waits, and goes on afterwards

    /// Effects: as run_one(). mail: whether a task may be one for this worker only, which is not to run in the middle
    /// of another.
    bool run_one_within(bool mail) {
        const std::optional<task::Claim> claim = mail ? next() : board_.claim(number_);
        if (claim) { run_nested(*claim); }
        return claim.has_value();
    }
    /// Effects: runs that task. Returns: false when it is not pending any more, or is for another worker.
    bool run_within(task::Offer offer) {
        if (board_.all_slots()[offer.slot].is_mailed()) { return false; }
        const std::optional<task::Claim> claim = board_.claim_offered(offer, number_);
        if (claim) { run_nested(*claim); }
        return claim.has_value();
    }
    /// Effects: runs a pending task that the waiter is to be called for. Returns: false when there is none.
    bool run_within_for(std::uint32_t waiter) {
        const auto used = board_.used_slots();
        for (std::uint32_t i = 0; i < used.size(); ++i) {
            const task::Word word{used[i].word.load(std::memory_order_acquire)};
            const bool waited_for =
                word.waited() && (used[i].waiters.load(std::memory_order_relaxed) & task::Waiters::bit(waiter)) != 0;
            if (waited_for && word.phase() == task::Phase::pending && run_within({i, word.generation()})) {
                return true;
            }
        }
        return false;
    }
    /// Effects: runs the pending task that was submitted last, which is most likely what the caller waits for. Returns:
    /// false when there is none.
    bool run_newest_within() {
        const auto used = board_.used_slots();
        std::optional<task::Offer> newest;
        std::uint64_t newest_number = 0;
        for (std::uint32_t i = 0; i < used.size(); ++i) {
            const task::Word word{used[i].word.load(std::memory_order_acquire)};
            if (word.phase() != task::Phase::pending || used[i].is_mailed()) { continue; }
            const std::uint64_t number = board_.number_of(i).load(std::memory_order_acquire);
            if (number > newest_number) {
                newest = task::Offer{i, word.generation()};
                newest_number = number;
            }
        }
        return newest && run_within(*newest);
    }
    /// How many tasks wait for the one that runs.
    [[nodiscard]] int waiting() const noexcept { return waiting_; }
    [[nodiscard]] std::uint32_t number() const noexcept { return number_; }

private:
    /// What belongs to the task that waits, while another one runs. Its clock goes on; who looks at deadlines may learn
    /// of it later.
    class Waiting {
    public:
        explicit Waiting(Loop& loop) noexcept
            : loop_(loop),
              context_(task::thread_context),
              claim_(loop.claim_),
              items_(loop.items_),
              took_token_(std::exchange(loop.took_token_, false)),
              current_(loop.seat_.current.load(std::memory_order_relaxed)),
              task_started_(loop.seat_.task_started.load(std::memory_order_relaxed)),
              item_(loop.seat_.item.load(std::memory_order_relaxed)),
              progress_(loop.seat_.progress.load(std::memory_order_relaxed)) {
            ++loop.waiting_;
        }
        Waiting(const Waiting&) = delete;
        Waiting& operator=(const Waiting&) = delete;
        ~Waiting() {
            --loop_.waiting_;
            task::thread_context = context_;
            loop_.claim_ = claim_;
            loop_.items_ = items_;
            loop_.took_token_ = took_token_;
            loop_.seat_.current.store(current_, std::memory_order_relaxed);
            loop_.seat_.progress.store(progress_, std::memory_order_relaxed);
            loop_.seat_.task_started.store(task_started_, std::memory_order_relaxed);
            loop_.seat_.item.store(item_, std::memory_order_release);  // the stamp above is this task's
        }

    private:
        Loop& loop_;
        task::ThreadContext context_;
        task::Claim claim_;
        std::uint64_t items_;
        bool took_token_;
        std::uint32_t current_;
        std::int64_t task_started_;
        std::uint64_t item_;
        std::uint64_t progress_;
    };

    void run_nested(task::Claim claim) {
        const Waiting outer{*this};
        run_task(claim);
    }

    /// Mail comes first: nobody else will run it.
    [[nodiscard]] std::optional<task::Claim> next() noexcept {
        if (!mail_.was_empty()) {
            if (const std::optional<task::Claim> claim = board_.claim_mail(index_, number_)) { return claim; }
        }
        return board_.claim(number_);
    }

    /// Whether there was nothing for this worker a moment ago.
    [[nodiscard]] bool was_idle() const noexcept { return board_.queue.was_empty() && mail_.was_empty(); }

    [[nodiscard]] bool must_leave() const noexcept { return !board_.control.goes_on(); }

    /// What is left is for others.
    [[nodiscard]] bool must_make_room() const noexcept {
        return is_being_replaced() || (board_.control.items_per_worker != 0 && item_budget() == 0);
    }
    /// Memory order: relaxed: one task more or less is all the same; who sleeps has looked by goes_on().
    [[nodiscard]] bool is_being_replaced() const noexcept {
        return board_.control.refork.load(std::memory_order_relaxed) != task::Refork::none;
    }

    void run_task(task::Claim claim) {
        task::Slot& slot = board_.all_slots()[claim.slot];
        claim_ = claim;
        items_ = 0;
        seat_.current.store(claim.slot + 1, std::memory_order_relaxed);
        const bool special = slot.is_special();
        task::thread_context.attempt = special ? slot.attempt : 0;
        task::thread_context.task = this;
        const bool timed = special && board_.issue(claim.slot).is_timed();
        if (timed) { start_clock(); }
        std::optional<log::TracedRun> run;
        if (slot.is_traced()) [[unlikely]] { run.emplace(board_, claim.slot); }
        Results results{board_, claim, host_, {}};
        Writer out{results.first, Results::grow, &results, host_.place_of};
        Ending outcome = Ending::value;
        reach(FaultPoint::before_run);
        try {
            TaskFrame frame{board_.arguments.payload(claim.slot), out, *this, timed};
            reinterpret_cast<TaskCode>(slot.code)(frame);
        } catch (...) {
            const std::exception_ptr thrown = std::current_exception();
            if (!thrown) {  // no exception of C++ but pthread_exit(): it must go on, or the runtime aborts
                host_.thread_ended();
                board_.control.casualties.fetch_add(1, std::memory_order_relaxed);
                board_.lose(claim.slot, claim.generation, Ending::died);
                throw;
            }
            outcome = Ending::exception;
            encode_error(out, thrown);
        }
        if (took_token_) {
            watcher_.end_of_task();
            took_token_ = false;
        }
        task::thread_context.task = nullptr;
        host_.after_task();
        slot.outcome = outcome;
        board_.results.seal(claim.slot, out.buffer(), out.size());
        auto& count = outcome == Ending::value ? seat_.completed : seat_.failed;
        count.store(count.load(std::memory_order_relaxed) + 1,
                    std::memory_order_relaxed);  // this worker alone writes it, as long as it lives
        count_items(items_ == 0 ? 1 : 0);
        seat_.current.store(task::Seat::counted, std::memory_order_relaxed);
        if (run) [[unlikely]] { run->end(id(), index_, seat_.pid.load(std::memory_order_relaxed), items_, outcome); }
        reach(FaultPoint::before_done);
        if (!board_.finish(claim, number_)) {
            seat_.current.store(task::Seat::condemned, std::memory_order_relaxed);
            host_.condemned();
            board_.results.release(claim.slot);
        }
        seat_.current.store(0, std::memory_order_relaxed);
        if (timed || items_ != 0) { forget_items(); }
    }

    /// Effects: what this task has left on the seat is not taken for a task's of the same generation, 2^32 later.
    /// Requires: it is decided, or what watches its deadline would miss its stamp.
    void forget_items() noexcept {
        seat_.item.store(0, std::memory_order_relaxed);
        seat_.progress.store(0, std::memory_order_relaxed);
    }

    /// Effects: the result is what was thrown; or that there is no memory to tell it, which needs no more than the
    /// slot's first line.
    static void encode_error(Writer& out, const std::exception_ptr& thrown) {
        out.rewind(0);
        try {
            encode_exception(out, thrown);
        } catch (const SharedMemoryExhausted& exhausted) {
            out.rewind(0);
            encode_exception(out, std::make_exception_ptr(exhausted));
        }
    }

    void start_clock() noexcept {
        seat_.task_started.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
        seat_.item.store(std::uint64_t{claim_.generation} << 32,
                         std::memory_order_release);  // the stamp above is this task's
    }

    void count_items(std::uint64_t items) noexcept {
        const auto done = seat_.items_done.load(std::memory_order_relaxed);
        seat_.items_done.store(done + static_cast<std::uint32_t>(items), std::memory_order_relaxed);
    }

    // ---- what tasks ask for

    [[nodiscard]] bool stop_requested() const noexcept override {
        // relaxed: the request carries nothing but itself. There is none in a slot where none has been made.
        const std::uint64_t request = board_.all_slots()[claim_.slot].stop_request.load(std::memory_order_relaxed);
        return request != 0 && request == id();
    }

    [[nodiscard]] std::stop_token stop_token() override {
        std::stop_token token = watcher_.token(board_.all_slots()[claim_.slot].stop_request, id());
        took_token_ = true;
        return token;
    }

    // relaxed: it was written before the task was claimed, and stays until it is decided.
    [[nodiscard]] std::uint64_t id() const noexcept override {
        return board_.number_of(claim_.slot).load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::string_view label() const noexcept override { return log::label_of(board_, claim_.slot); }

    [[nodiscard]] os::Wiped* wiped_word() const noexcept override {
        return host_.wiped_word == nullptr ? nullptr : host_.wiped_word();
    }
    void leave_if_impostor() override { host_.before_result(); }

    [[nodiscard]] std::uint64_t item_budget() const noexcept override {
        if (is_being_replaced()) { return items_ == 0 ? 1 : 0; }  // it was claimed, so it gets on
        const std::uint64_t most = board_.control.items_per_worker;
        if (most == 0) { return UINT64_MAX; }
        const std::uint64_t done = seat_.items_done.load(std::memory_order_relaxed);
        return done < most ? most - done : 0;
    }

    void start_items(unsigned attempt) noexcept override { task::thread_context.attempt = attempt; }

    bool finish_items(std::uint64_t done, const Writer& result) override {
        host_.before_result();
        if (done != items_) { task::thread_context.attempt = 0; }
        const task::Slot& slot = board_.all_slots()[claim_.slot];
        task::Seat& seat = seat_;
        board_.results.seal(claim_.slot, result.buffer(), result.size());
        count_items(done - items_);
        items_ = done;
        seat.progress.store(std::uint64_t{claim_.generation} << 32 | static_cast<std::uint32_t>(done),
                            std::memory_order_relaxed);
        reach(FaultPoint::item_done);
        if (slot.is_special() && board_.issue(claim_.slot).is_timed()) { restart_clock_of_item(); }
        const std::uint64_t stop = slot.stop_request.load(std::memory_order_relaxed);  // as stop_requested()
        return (stop == 0 || stop != id()) && item_budget() != 0;
    }

    [[gnu::noinline]] void restart_clock_of_item() {
        // The stamp first: the supervisor condemns an item only if it is the same before and after it has read the
        // stamp.
        seat_.task_started.store(Clock::now().time_since_epoch().count(), std::memory_order_seq_cst);
        std::uint64_t item = seat_.item.load(std::memory_order_relaxed);
        const std::uint64_t next = (item & ~std::uint64_t{0xffffffff}) | static_cast<std::uint32_t>(item + 2);
        if ((item & 1) != 0 || !seat_.item.compare_exchange_strong(item, next, std::memory_order_seq_cst)) {
            host_.condemned();
        }
    }

    /// Looks for work for about as long as a wake-up costs, if not too many do so already; then sleeps until it is
    /// woken.
    void search_or_sleep() {
        const task::Control& control = board_.control;
        const bool alone = control.workers == 1;  // then nobody relies on it to look, so it need not say that it does
        if (searching_) {  // what it found, another claimed; nobody may rely on it while it sleeps
            board_.spinning.remove(number_);
            searching_ = false;
        }
        if (control.spinners > 0 && (alone || board_.spinning.was_size() < control.spinners)) {
            if (!alone) {
                board_.spinning.add(number_);
                searching_ = true;
            }
            reach(FaultPoint::spinning);
            if (spin()) { return; }
            if (!alone) {
                board_.spinning.remove(number_);
                searching_ = false;
            }
        }
        board_.sleeping.add(number_);
        reach(FaultPoint::asleep);
        if (was_idle() && !must_leave()) { seat_.parker.park(Deadline::never()); }
        searching_ = !alone;  // who relied on it while it spun, or took it out of the sleepers, woke nobody else
        board_.sleeping.remove(number_);
    }

    /// The first task of a search is claimed: whoever relied on this worker to look for more is served by another.
    void stop_searching() noexcept {
        searching_ = false;
        board_.spinning.remove(number_);
        if (!board_.queue.was_empty()) { board_.wake_for_new_task(); }
    }

    /// Returns: true when there is something to do.
    [[nodiscard]] bool spin() const noexcept {
        for (int round = 0; round < os::spin_rounds; ++round) {
            for (int i = 0; i < os::looks_per_round; ++i) {
                if (!was_idle()) { return true; }
                relax();
            }
            if (must_leave()) { return true; }
            os::yield();  // on a busy machine somebody else has better use for the processor
        }
        return false;
    }

    /// Lets a result grow into its slot's memory; one that fits into the slot's first line is copied there when the
    /// task has ended.
    struct Results {
        task::Board& board;
        task::Claim claim;
        const Host& host;
        std::array<std::byte, task::Slot::inline_bytes> first;
        static std::span<std::byte> grow(void* self, std::span<std::byte> current, std::size_t used, std::size_t need) {
            auto& [board, claim, host, first] = *static_cast<Results*>(self);
            if (current.data() == first.data()) { host.before_result(); }
            reach(FaultPoint::result_half);
            return board.results.grow(claim.slot, claim.generation, current, used, need);
        }
    };

    task::Board& board_;
    task::Seat& seat_;
    std::uint32_t number_;
    std::uint32_t index_;  // of the worker
    const task::Mail& mail_;
    const Host& host_;
    StopWatcher watcher_;
    task::Claim claim_{};
    std::uint64_t items_ = 0;  // of the task that runs, finished and counted
    int waiting_ = 0;
    bool took_token_ = false;
    bool searching_ = false;  // others may rely on this worker to look for work
};

}  // namespace procpool::detail::worker
