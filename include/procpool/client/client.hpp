// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Client: the parent's side of a board: submits tasks, waits for them, takes their results.

#include <procpool/client/biased_mutex.hpp>
#include <procpool/client/crew.hpp>
#include <procpool/client/dependency.hpp>
#include <procpool/client/encoding.hpp>
#include <procpool/client/every_worker.hpp>
#include <procpool/client/guest_board.hpp>
#include <procpool/client/heap_boards.hpp>
#include <procpool/client/holder.hpp>
#include <procpool/client/observer.hpp>
#include <procpool/client/parcel.hpp>
#include <procpool/client/parcel_store.hpp>
#include <procpool/client/parkers.hpp>
#include <procpool/client/pinned_values.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/client/taken.hpp>
#include <procpool/client/task_graph.hpp>
#include <procpool/client/unobserved.hpp>
#include <procpool/client/workers_memory.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/modules.hpp>
#include <procpool/os/region_file.hpp>
#include <procpool/os/single_threaded.hpp>
#include <procpool/os/yield.hpp>
#include <procpool/task/board.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::client {

/// Lives until its pool and the last of its tickets are gone. Called by: parent, any thread, unless said otherwise.
class Client : public Holder {
public:
    using Taken = client::Taken;

    /// Throws: SharedMemoryExhausted.
    /// open_to_all: any process of the program may be a guest, also one that was forked before; where the workers are
    /// processes.
    /// companion_seats, indices, shrinks: see task::BoardSize. name: of the pool, where others may look into its
    /// memory.
    Client(std::uint32_t capacity, std::uint32_t seats, codec::VisibilityOf where, bool code_may_differ,
           bool open_to_all = false, std::uint32_t companion_seats = 0, std::uint32_t indices = 0, bool shrinks = false,
           std::string_view name = {});
    [[nodiscard]] GuestBoard guest_board() const noexcept { return {&board_, board_.guests.id()}; }

    [[nodiscard]] task::Board& board() noexcept { return board_; }
    [[nodiscard]] const task::Board& board() const noexcept { return board_; }
    [[nodiscard]] os::RegionFile& region_file() noexcept { return region_file_; }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { leave_round(*this); }

    /// Effects: errors that nobody takes will be told, with the pool's name. Called by: the pool's constructor, before
    /// it makes the crew. Throws: std::bad_alloc.
    void tell_unobserved();
    /// Effects: tasks are numbered from there on. Called by: the crew, before there is any.
    void number_from(std::int64_t first) noexcept { issued_ = released_ = first; }
    /// Called by: the pool's constructor, as its last step that may fail. Throws: std::bad_alloc.
    void set_crew(std::unique_ptr<Crew> crew);
    /// \{
    /// The type of the object that the workers' initializer returns for tasks. Called by: the pool's constructor; then
    /// any thread.
    void set_state_type(const worker::StateType& type) noexcept { state_type_ = type; }
    [[nodiscard]] const worker::StateType& state_type() const noexcept { return state_type_; }
    /// \}
    /// The meaning of an address in an argument for the workers.
    [[nodiscard]] codec::VisibilityOf place_of() const noexcept { return place_of_; }
    /// Whether the workers' memory is certain to lack what is at `address`, because it is newer than they are.
    [[nodiscard]] bool is_newer_than_workers(const void* address) const {
        return place_of_(address) == codec::Visibility::this_process && memory_.lacks(address);
    }
    /// As those of Crew.
    [[nodiscard]] std::vector<NodeInfo> nodes() const { return crew_->nodes(); }
    /// Whether a submission returns when the task has been run.
    [[nodiscard]] bool runs_here() const noexcept { return crew_->runs_here(); }

    // ---- submission. Throws: PoolClosed, PoolTerminated, PoolBroken; SharedMemoryExhausted; any exception of
    // `encode`. Nothing is queued then.

    /// Hands over a task. Returns: nothing when there is no slot for it now, with Patience::try_once.
    std::optional<Ticket> submit(const Submission& submission, Encode encode);

    /// As submit(), for a task that waits for others of this client. Nothing has changed where there is no ticket.
    /// Throws: likewise; std::logic_error when a result has been taken.
    Submitted submit_linked(const Submission& submission, std::span<Dependency> dependencies, EncodeLinked encode);
    /// Effects: as drop(), of a task whose result is an argument of others.
    void consume(Ticket ticket) noexcept;
    /// Returns: as take(), but the result stays.
    [[nodiscard]] Taken copy(Ticket ticket);

    /// Throws: CodecError when the workers do not have the code at `address`.
    void check_code(std::uintptr_t address) const {
        if (address / code_page != known_page(address).load(std::memory_order_relaxed)) { check_new_code(address); }
    }

    // ---- collection

    /// Whether the task is decided.
    [[nodiscard, gnu::always_inline]] bool is_decided(Ticket ticket) const noexcept {
        return !word_of(ticket).is_undecided();
    }
    /// As is_decided(), for callers that poll instead of waiting: checks every 256th call that the crew is alive.
    [[nodiscard]] bool poll(Ticket ticket) noexcept {
        constexpr std::uint32_t now_and_then = 256;
        if (!is_decided(ticket) && polls_.fetch_add(1, std::memory_order_relaxed) % now_and_then == 0) {
            check_crew();
            audit();
        }
        return is_decided(ticket);
    }
    [[nodiscard]] bool is_running(Ticket ticket) const noexcept {
        return word_of(ticket).phase() == task::Phase::started;
    }

    /// Returns: how many items a task that runs has finished, a moment ago; 0 for any other.
    [[nodiscard]] std::uint64_t items_done(Ticket ticket) const noexcept {
        const task::Word word = word_of(ticket);
        if (word.phase() != task::Phase::started) { return 0; }
        const task::Seat* const seat = board_.seat_of(word.seat());
        if (seat == nullptr) { return 0; }
        const std::uint64_t progress = board_.is_companions(word.seat())
                                           ? crew_->progress_of(ticket.slot)
                                           : seat->progress.load(std::memory_order_relaxed);
        return progress >> 32 == word.generation() ? progress & 0xffffffff : 0;
    }

    /// Blocks until the task is decided. Returns: false when the deadline came first.
    bool wait(Ticket ticket, Deadline deadline) {
        // The newest task has hardly begun, and a look would only take its line from its worker: see spin_for().
        return (ticket.serial != submitted() && is_decided(ticket)) || wait_longer(ticket, deadline);
    }

    /// Blocks until `ready()`. Returns: false when the deadline came first. The lease's parker must be notified when it
    /// may have become true: it is the waiter of the tasks concerned. soon: it is expected before a sleep would have
    /// paid for itself; otherwise workers have better use for the processor at once.
    bool wait_on(const Parkers::Lease& lease, core::FunctionRef<bool()> ready, Deadline deadline, bool soon);

    /// Requires: is_decided(); the ticket's holder has not taken or dropped it.
    [[nodiscard]] Taken take(Ticket ticket);

    /// Detaches the task: its result will not be collected. observed: its error is no news to the program.
    void drop(Ticket ticket, bool observed) noexcept;
    /// Effects: tells the errors of dropped tasks that have ended. waits: until other threads have told those that they
    /// are at, unless the program's Codecs take longer than 3 s.
    void settle_dropped(bool waits) noexcept;
    [[nodiscard]] const std::shared_ptr<Unobserved>& unobserved() const noexcept { return unobserved_; }

    /// Effects: a task that has not started will not run. Returns: whether this did it.
    bool withdraw(Ticket ticket) noexcept;
    /// Effects: asks a running task to stop; the task decides whether it does.
    void request_stop(Ticket ticket) noexcept;
    /// Effects: a task that is not decided will be cancelled; its worker, if it has one, is killed. Returns: false when
    /// it was decided.
    bool kill(Ticket ticket) noexcept;

    /// As those of Crew.
    [[nodiscard]] bool is_in_task() const noexcept { return crew_->is_in_task(); }
    bool run_awaited_by(std::uint32_t waiter) { return crew_->run_awaited_by(waiter); }
    bool make_room_in_task() { return crew_->make_room(); }

    /// Returns: the tasks of this process that have not ended, and those that they wait for or have waited for.
    [[nodiscard]] TaskGraph graph();

    // ---- memory that the chunks of a call over many items have in common, or tasks that refer to a value of put():
    // extents of no slot, in which nothing but these looks

    /// Returns: a number that no other call has.
    [[nodiscard]] std::uint64_t next_call() noexcept { return calls_.fetch_add(1, std::memory_order_relaxed) + 1; }
    /// Throws: SharedMemoryExhausted.
    [[nodiscard]] task::Extents::Run acquire_for_call(std::uint64_t call, std::size_t size);
    /// Effects: workers destroy what they keep for the call, and its memory is free when all `readers` are decided: see
    /// free_ended_calls(). Throws: std::bad_alloc, if there are any; nothing has changed then.
    void end_call(task::Extents::Run memory, std::vector<Ticket> readers);
    /// Effects: frees memory of calls that have ended, where no task reads it any more. Called by: a thread that has
    /// dropped the readers, after that.
    void free_ended_calls() noexcept;

    // ---- values that tasks refer to: see PinnedValues

    /// Whether the pool is there, and not only what holds its client.
    [[nodiscard]] bool has_pool() const noexcept { return has_pool_.load(std::memory_order_relaxed); }
    /// Effects: a slot's task will refer to a value.
    void note_values() noexcept { has_values_.store(true, std::memory_order_relaxed); }
    /// Effects: lets go of what was left while mutex_ was held. Called by: a thread that holds no mutex.
    void release_orphans() noexcept {
        if (!orphans_.empty()) [[unlikely]] { const PinnedValues gone{std::move(orphans_)}; }
    }

    [[nodiscard]] Parkers& parkers() noexcept { return parkers_; }
    [[nodiscard]] EveryWorker& every_worker() noexcept { return every_worker_; }
    /// Effects: decides the tasks if the supervisor that should do it has been killed. Called by: a thread that has
    /// waited for a while.
    void check_crew() noexcept;
    /// Effects: as check_crew(); wakes a worker if pending tasks were overlooked; offers a task again, or makes it
    /// lost, that another task's wild writes have hidden or overwritten. Called by: a thread that has slept for a
    /// while.
    void after_long_sleep() noexcept;

    // ---- life

    /// Effects: the workers do not leave until then, and submissions that are part of this are accepted. Throws: as a
    /// submission.
    void keep_open(OpenUntil until);
    /// Effects: ends what keep_open() began.
    void let_close(OpenUntil until) noexcept;
    /// Whether a thread waits in a call that keeps the pool open.
    [[nodiscard]] bool has_callers() noexcept {
        const std::lock_guard guard{mutex_};
        return callers_ != 0;
    }
    /// Whether new tasks are accepted.
    [[nodiscard]] bool is_open() const noexcept {
        return life() == task::Life::open && !closing_.load(std::memory_order_relaxed);
    }

    /// Effects: makes the crew look at what the caller has written on the board.
    void ring() noexcept { crew_->ring(); }
    /// Effects: no new tasks; beyond closing, tasks that have not started are lost at once.
    void stop(task::Life to) noexcept;
    [[nodiscard]] task::Life life() const noexcept { return board_.control.life.load(std::memory_order_seq_cst); }
    /// Effects: calls that keep the pool open until it is joined no longer do. Returns: false when the deadline came
    /// before the end of the workers.
    [[nodiscard]] bool join(Deadline deadline);
    /// Effects: so many workers are wanted, at most task::Control::places. Throws: PoolClosed and its like;
    /// std::system_error when a thread cannot be had.
    void resize(std::uint32_t workers);
    /// Effects: the workers see the program's memory and have its code as they are now. Throws: PoolClosed and its
    /// like, also when the pool is stopped meanwhile; std::system_error, and the pool is broken then.
    void refork();
    [[nodiscard]] std::uint64_t submitted() const noexcept { return submitted_.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t cancelled() const noexcept {
        return board_.head.cancelled.load(std::memory_order_relaxed);
    }
    [[nodiscard]] Observer& observer() noexcept { return observer_; }
    [[nodiscard]] const Observer& observer() const noexcept { return observer_; }
    [[noreturn]] void throw_ended() const;

    // ---- lifetime: each ticket is one reference, and so is the pool

    /// Effects: as one ticket more. Requires: another ticket is not released meanwhile, or the pool
    /// lives.
    void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
    [[gnu::always_inline]] static void release_ticket(Client* client) noexcept {
        if (client->mutex_.try_lock_as_owner()) {  // so the pool is not gone
            ++client->released_;
            client->mutex_.unlock();
        } else if (client->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            delete client;
        }
    }
    /// Called by: the pool's destructor, as its last use of the client. Until now tickets were only counted as they
    /// went: the issued ones are added here in one step, so that issuing a ticket costs nothing.
    static void release_pool(Client* client) noexcept {
        leave_round(*client);
        client->release_values();
        std::int64_t issued = 0;
        {
            client->mutex_.lock_and_end_bias();
            const std::lock_guard guard{client->mutex_, std::adopt_lock};
            issued = client->issued_ - client->released_;
        }
        if (client->references_.fetch_add(issued - the_pool, std::memory_order_acq_rel) + issued == the_pool) {
            delete client;
        }
    }

private:
    friend class client::Taken;

    [[nodiscard]] task::BoardSize size_of_board(task::BoardSize size, bool has_guests, bool open_to_all) const noexcept;
    static constexpr std::uint64_t no_serial = 0;  // numbers begin with 1
    static constexpr std::uint32_t no_slot = 0xffffffff;

    using Lock = std::unique_lock<client::BiasedMutex>;

    [[nodiscard]] bool accepts(const Submission& submission) const noexcept {
        if (!submission.accepted_before_close) [[likely]] { return is_open(); }
        return life() == task::Life::open || (submission.by_own_task && life() == task::Life::closing);
    }

    /// The parent's own notes on a slot. All-zero memory is the valid initial state.
    struct SlotNotes {
        std::atomic<std::uint64_t> serial;    ///< of its task; the first, where Board::number_of() finds it
        std::atomic<std::uint64_t> dropped;   ///< serial + 1 of its last task that was detached
        std::atomic<std::uint64_t> observed;  ///< likewise, of one whose error is no news; written before
        PinnedValues values;                  ///< what its task refers to; of who owns the slot
        std::uint32_t next;                   ///< link of free_ and returned_
        // written under mutex_:
        std::atomic<std::uint32_t>
            pins;               ///< tasks that depend on its task and are not settled, and copies of its result
        bool keeps_slot;        ///< see Submission
        task::Phase lingering;  ///< of a taken task that is in lists of others; free: it is none
    };

    /// A task that waits for others, or did and is not settled.
    struct LinkedTask {
        Ticket ticket;
        std::uint32_t first_edge;
    };
    /// Those of a task to be published.
    struct Edges {
        std::uint32_t first;
        std::uint32_t count;
    };

    /// Lets arguments grow into their slot's memory.
    struct Growth {
        Client& client;
        std::uint32_t index;
        bool locked;
        static std::span<std::byte> grow(void* self, std::span<std::byte> current, std::size_t used, std::size_t need);
    };

    [[nodiscard]] task::Ring& ring_for(const Submission& submission) noexcept {
        return board_.queue.ring(task::Queue::level_of(submission.priority));
    }
    [[nodiscard]] task::Slot& slot(std::uint32_t index) const noexcept { return board_.all_slots()[index]; }
    [[nodiscard]] task::Word word_of(std::uint32_t index) const noexcept {
        return task::Word{slot(index).word.load(std::memory_order_acquire)};
    }
    /// Returns: a word of phase free when the task is not in its slot any more.
    /// Memory order: acquire; the word first: if the slot is still the ticket's afterwards, the word was the ticket's
    /// too, since a slot's serial is written before the word of its next task.
    [[nodiscard, gnu::always_inline]] task::Word word_of(Ticket ticket) const noexcept {
        const task::Word word = word_of(ticket.slot);
        return notes_[ticket.slot].serial.load(std::memory_order_acquire) == ticket.serial ? word : task::Word{};
    }

    /// A call that has ended while some of its tasks run: they have been dropped, and asked to stop.
    struct EndedCall {
        task::Extents::Run memory;
        std::vector<Ticket> readers;
    };

    /// How many bytes the arguments are, and the traits of a task with them.
    struct Encoded {
        std::size_t size = 0;
        std::uint8_t traits = 0;
    };

    // On the hot path: inline, where the bodies are.
    [[nodiscard, gnu::always_inline]] inline Encoded end_arguments(Writer& out, const Encoding& arguments);
    [[nodiscard, gnu::always_inline]] inline std::uint32_t acquire(Lock& lock, const Submission& submission);
    void add_free(std::uint32_t index) noexcept {
        notes_[index].next = free_;
        free_ = index;
    }
    /// Whether a decided task's result may be kept elsewhere. Requires: mutex_ is held.
    [[nodiscard]] bool may_leave(std::uint32_t index) const noexcept {
        const SlotNotes& notes = notes_[index];
        return (!notes.keeps_slot ||
                notes.dropped.load(std::memory_order_relaxed) == notes.serial.load(std::memory_order_relaxed) + 1) &&
               notes.pins.load(std::memory_order_relaxed) == 0;
    }
    /// Whether the task's result, if any, is where it was left. Requires: mutex_ is held.
    [[nodiscard]] bool is_in_slot(Ticket ticket) const noexcept {
        const task::Phase phase = word_of(ticket).phase();
        return phase != task::Phase::free && phase != task::Phase::taken;
    }
    [[nodiscard]] task::Edge& edge(std::uint32_t name) const noexcept { return board_.edges()[name - 1]; }
    [[nodiscard]] bool pin(std::uint32_t index, std::span<Dependency> dependencies);
    void unpin(std::uint32_t edge) noexcept;
    [[nodiscard]] Parcel copy_kept(Ticket ticket);
    void write_dependency(Writer& out, const Dependency& dependency);
    void free_settled(bool all) noexcept;
    void settle(Lock& lock) noexcept;
    void release_values() noexcept;
    void orphan_values(std::uint32_t index) noexcept;
    void give_back_with_values(std::uint32_t index, task::Phase phase) noexcept;
    void pop_settled(std::size_t place) noexcept;
    void clear_and_free(std::uint32_t index, task::Phase phase) noexcept;
    [[nodiscard]] TaskGraph::Node node_of(Ticket ticket, task::Word word) const;
    void give_back_undone(std::uint32_t index, task::Phase phase) noexcept;
    [[nodiscard]] inline bool take_fresh();
    inline void take_returned() noexcept;
    void free_decided_calls() noexcept;
    bool shed() noexcept;
    void shed_if_refused() noexcept;
    void free_dropped(Lock& lock) noexcept;
    bool free_if_decided(Ticket ticket) noexcept;
    /// Whether a taken slot's task has ended in an error that nobody asked for.
    [[nodiscard]] bool has_failed(std::uint32_t index, task::Phase phase) const noexcept {
        return phase == task::Phase::done ? slot(index).outcome == Ending::exception
                                          : core::is_failure(slot(index).ending(phase));
    }
    /// The error of a dropped task.
    struct DroppedFailure {
        std::uint64_t task;
        std::string label = {};
        Parcel parcel = {};
    };
    [[nodiscard]] DroppedFailure describe_dropped(std::uint32_t index, std::uint64_t serial,
                                                  task::Phase phase) noexcept;
    void note_failure(std::uint32_t index, std::uint64_t serial, task::Phase phase) noexcept;
    void tell(DroppedFailure failure) noexcept;
    void tell_failures(Lock& lock) noexcept;
    class Round;
    static void leave_round(Client& client) noexcept;
    [[nodiscard]] bool make_room(task::Ring& ring) noexcept;
    [[nodiscard]] Taken take_elsewhere(Ticket ticket);
    void audit() noexcept;
    [[nodiscard]] bool is_overwritten(std::uint32_t index) const noexcept;
    [[nodiscard]] bool is_something_odd() const noexcept;
    void lose_overwritten(std::uint32_t index) noexcept;
    void offer_forgotten();
    void settle_forgotten() noexcept;
    /// Returns: a generation; never 0, which stands for none.
    [[nodiscard]] std::uint32_t next_generation() noexcept {
        return ++last_generation_ != 0 ? last_generation_ : ++last_generation_;
    }
    inline void arm(Deadline expires) noexcept;
    template <bool is_linked = false>
    [[gnu::always_inline]] inline Ticket publish(Lock& lock, std::uint32_t index, const Submission& submission,
                                                 std::uint8_t more_traits, Edges edges = {});
    void request_stop_of_all() noexcept;
    void look_at_life() noexcept;
    void close_if_unused() noexcept;
    static constexpr std::uintptr_t code_page = os::page_size;
    /// The place of a page's number: neighbours do not take each other's.
    [[nodiscard]] std::atomic<std::uintptr_t>& known_page(std::uintptr_t address) const noexcept {
        return known_pages_[address / code_page % known_pages_.size()];
    }
    void check_new_code(std::uintptr_t address) const;
    template <class Ready>
    [[nodiscard]] static bool spin(Ready ready, Deadline deadline);
    [[nodiscard]] bool wait_longer(Ticket ticket, Deadline deadline);
    [[nodiscard]] bool spin_for(Ticket ticket, Deadline deadline);
    void mark_memory() {
        if (modules_) { memory_.mark(); }
    }
    void wait_for_capacity(const Submission& submission);
    [[nodiscard]] bool sweep();
    void keep(std::uint32_t index, std::uint64_t serial, task::Phase phase);
    [[nodiscard]] inline task::Phase try_take(Ticket ticket) noexcept;
    /// Returns: a taken slot's ending, without its bytes.
    [[nodiscard]] Parcel describe(std::uint32_t index, task::Phase phase) const {
        return phase == task::Phase::done ? Parcel{phase, slot(index).outcome} : describe_failure(index, phase);
    }
    [[nodiscard]] Parcel describe_failure(std::uint32_t index, task::Phase phase) const;
    void release_payloads(std::uint32_t index, task::Phase phase) noexcept;
    [[gnu::always_inline]] inline void clear(std::uint32_t index, task::Phase phase) noexcept;
    inline void give_back(std::uint32_t index, task::Phase phase) noexcept;

    os::RegionFile region_file_;
    os::Mapping region_;
    HeapRegion heap_region_;  // instead
    task::Board& board_;
    std::unique_ptr<Crew> crew_;
    const codec::VisibilityOf place_of_;
    worker::StateType state_type_;
    const char* const pool_name_ = board_.control.name.data();  // in memory, for os::probe
    mutable std::mutex modules_mutex_;
    std::optional<os::Modules> modules_;  // the code that the workers have, where that may differ from ours
    WorkersMemory memory_;                // looked at where there is modules_
    mutable std::array<std::atomic<std::uintptr_t>, 64> known_pages_{};  // numbers of pages that were found in it
    Parkers parkers_;

    client::BiasedMutex mutex_;  // producers: guards the members below, unless they say otherwise, and the rings' tails
    std::uint32_t free_ =
        no_slot;  // a stack, through SlotNotes::next: last in, first out, so that few slots' memory stays warm
    std::uint32_t fresh_ = 0;  // this slot and those after it have not been used yet
    std::uint32_t hand_ = 0;   // where the next sweep continues
    std::int64_t issued_ = 0;
    std::int64_t released_ = 0;   // references, by the owner of mutex_; more than are issued, where some were retained
    std::uint32_t open_for_ = 0;  // calls
    std::uint32_t callers_ = 0;   // of those that wait in it
    std::uint32_t open_until_join_ = 0;
    bool joined_ = false;               // a thread waits, or has waited, for the workers' end
    std::atomic<bool> closing_{false};  // written under mutex_; the board learns of it when no call keeps the pool open
    std::uint32_t last_generation_ = 0;
    ParcelStore kept_;                      // results that had to leave their slots
    std::vector<Ticket> detached_;          // dropped before they were decided: their slots must be freed
    std::size_t next_detached_ = 0;         // where the next look at them continues
    std::vector<DroppedFailure> failures_;  // to be told once mutex_ is not held
    std::uint32_t telling_ = 0;             // threads that tell some; written under mutex_
    static inline constinit thread_local bool tells_ = false;  // this thread is one
    std::atomic<bool> has_dropped_{false};                     // some in the two before; written under mutex_
    std::shared_ptr<Unobserved> unobserved_;
    std::vector<EndedCall> ended_calls_;
    bool is_unsettled_ = false;            // there are some in the next, or in orphans_
    std::deque<LinkedTask> linked_;        // in the order of their submission, more or less
    std::size_t next_linked_ = 0;          // where the next look at them continues
    std::uint32_t free_edge_ = 0;          // see task::Edge; a stack, through Edge::sibling
    std::uint32_t fresh_edge_ = 0;         // so many have been used
    PinnedValues orphans_;                 // of slots that were freed while mutex_ was held; added to under it
    std::atomic<bool> has_values_{false};  // some task has referred to one
    std::atomic<bool> has_pool_{true};

    Observer observer_;
    std::span<SlotNotes> notes_;  // one for each slot
    mutable std::mutex label_mutex_;
    std::vector<std::string> labels_;          // of the slots that are labelled; made with the first one
    std::atomic<std::uint64_t> submitted_{0};  // written under mutex_
    std::atomic<std::uint64_t> calls_{0};
    std::atomic<std::uint32_t> polls_{0};
    std::atomic<std::int64_t> next_audit_{0};  // steady clock, nanoseconds
    std::atomic<int> pause_{0};                // how long spin_for() pauses before it looks
    std::atomic<std::uint32_t> returned_{
        no_slot};  // slots that were given back, in a stack that submitters empty at once

    EveryWorker every_worker_;

    std::mutex capacity_mutex_;  // one submitter at a time waits for capacity
    static constexpr std::int64_t the_pool = std::int64_t{1}
                                             << 62;  // more than there are tickets to be released before the pool is
    std::atomic<std::int64_t> references_{the_pool};
};

}  // namespace procpool::detail::client

#include <procpool/client/client_audit.hpp>
#include <procpool/client/client_calls.hpp>
#include <procpool/client/client_cancel.hpp>
#include <procpool/client/client_collect.hpp>
#include <procpool/client/client_dropped.hpp>
#include <procpool/client/client_graph.hpp>
#include <procpool/client/client_life.hpp>
#include <procpool/client/client_links.hpp>
#include <procpool/client/client_submit.hpp>
#include <procpool/client/client_wait.hpp>

#if PROCPOOL_BODIES
#include <procpool/client/client.ipp>
#endif
