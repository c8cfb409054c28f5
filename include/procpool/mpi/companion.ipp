// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/mpi/companion.hpp>
#include <procpool/mpi/log_forward.hpp>

#include <procpool/client/listed_references.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/code_name.hpp>
#include <procpool/os/inherited_stacks.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/pool/linked_call.hpp>
#include <procpool/worker/break_pool.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace procpool::inline v0::detail::mpi {

inline void Companion::run(task::Board& board) {
    board_ = &board;
    announcer_.emplace(board);
    casualties_.emplace(board, *announcer_);
    flights_.resize(board.parents_slots().size());
    runs_.emplace(board);
    os::stay_when_memory_runs_out();
    os::sleep_exactly();
    os::wipe_inherited_stacks();
    wire_.emplace();
    if (wire_->size() != ranks_) {
        table_.set_start(Table::Start::failed, "the launcher has started " + std::to_string(ranks_) +
                                                   " processes, but MPI knows of " + std::to_string(wire_->size()) +
                                                   ": the program was built with another MPI than the launcher's");
        return wire_->finalize(std::chrono::seconds{1});
    }
    nodes_.resize(static_cast<std::size_t>(ranks_));
    begun_ = looked_ = beaten_ = Clock::now();
    for (Node& node : nodes_) { node.heard = begun_; }
    while (!is_done()) {
        bool worked = receive();
        worked = finish_incoming() || worked;
        if (!told_ && has_started_) { worked = ship() || worked; }
        forget_shared();
        // A task for which this process was woken, and not another one, does not wait for it.
        if (std::exchange(is_relied_on_, false) && !board_->queue.was_empty()) { board_->wake_for_new_task(); }
        wire_->tidy();
        if (const Time now = Clock::now(); now - looked_ >= look_every) { look_around(now); }
        if (worked) {
            rest_.worked();
        } else {
            pause();
        }
    }
    leave();
}

inline void Companion::ended() noexcept {
    table_.set_start(Table::Start::failed, "the process that speaks to the other machines has ended");
    for (NodeRecord& node : table_.nodes().subspan(1)) {
        NodeState served = NodeState::serves;
        node.state.compare_exchange_strong(served, NodeState::lost, std::memory_order_acq_rel);
    }
}

// ---- start

inline void Companion::greet(Received& hello) {
    Node& node = nodes_[static_cast<std::size_t>(hello.from)];
    if (node.state != NodeState::expected || has_started_) { return; }
    hello.text().copy(record(hello.from).host.data(), record(hello.from).host.size() - 1);
    const std::string_view modules{reinterpret_cast<const char*>(hello.bytes().data()), hello.bytes().size()};
    if (!os::is_same_program(modules)) { return refuse(hello.from, "it runs another build of the program"); }
    std::uint64_t total = hello.head.count;
    for (const Node& other : nodes_) { total += other.workers; }
    if (total > most_workers_) { return refuse(hello.from, "there are too many workers"); }
    for (int other = 0; other < ranks_; ++other) {
        const bool counts = other == 0 ? board().control.places != 0 : serves(other);
        if (counts && task::text_within(record(other).host) == task::text_within(record(hello.from).host)) {
            log::report(LogLevel::warning, subject(),
                        "ranks {} and {} are both on machine {}, each with its own {} workers: start one rank on each "
                        "machine, as by mpirun --map-by ppr:1:node or srun --ntasks-per-node=1",
                        other, hello.from, record(other).host.data(), hello.head.count);
            break;
        }
    }
    os::remember_modules(modules);
    node.workers = static_cast<std::uint32_t>(hello.head.count);
    node.capacity = hello.head.worker;
    node.held.reserve(node.capacity);
    node.state = NodeState::serves;
    record(hello.from).workers.store(node.workers, std::memory_order_relaxed);
    record(hello.from).state.store(NodeState::serves, std::memory_order_release);
}

inline void Companion::refuse(int node, const std::string& why) {
    nodes_[static_cast<std::size_t>(node)].state = NodeState::refused;
    record(node).state.store(NodeState::refused, std::memory_order_release);
    log::report(LogLevel::error, subject(), "machine {} (rank {}) takes no part: {}", record(node).host.data(), node,
                why);
    wire_->send(node, {.kind = Kind::refused}, why);
    break_if_none_is_left();
}

inline void Companion::end_start() {
    std::uint32_t index = board().control.places;
    for (int rank = 1; rank < ranks_; ++rank) {
        Node& node = nodes_[static_cast<std::size_t>(rank)];
        if (node.state == NodeState::expected) { lose(rank, "has not said hello"); }
        if (node.state != NodeState::serves) { continue; }
        node.first_index = index;
        index += node.workers;
        wire_->send(rank, {.kind = Kind::welcome, .count = node.first_index});
        send_beat(rank);
        log::trace_host(board(), static_cast<std::uint16_t>(rank), task::text_within(record(rank).host));
    }
    log::trace_host(board(), 0, task::text_within(record(0).host));
    has_started_ = true;
    board().control.remote_workers.store(index - board().control.places, std::memory_order_release);
    table_.set_start(Table::Start::done);
}

inline void Companion::send_beat(int rank) {
    LogLevel& told = nodes_[static_cast<std::size_t>(rank)].told_level;
    told = wanted_level();
    wire_->send(rank, {.kind = Kind::beat,
                       .generation = nodes_[static_cast<std::size_t>(rank)].gaps,
                       .sent = log::trace_time(),
                       .count = static_cast<std::uint64_t>(told)});
}

// ---- tasks

inline std::uint32_t Companion::window_of(const Node& node) const noexcept {
    auto prefetch = static_cast<double>(options_.prefetch);
    if (looked_ < for_others_until_) {
        prefetch = 0;
    } else if (options_.prefetch == 0 && node.task_time > 0) {
        const double most = 32.0 * node.workers;
        prefetch = std::clamp(std::floor(node.round_trip / node.task_time * node.workers), 0.0, most);
        if (20 * node.round_trip < node.task_time) { prefetch = 0; }
    }
    return static_cast<std::uint32_t>(std::min<double>(node.workers + prefetch, node.capacity));
}

inline int Companion::least_loaded() const noexcept {
    int best = 0;
    double least = 0;
    for (int rank = 1; rank < ranks_; ++rank) {
        const Node& node = nodes_[static_cast<std::size_t>(rank)];
        if (node.state != NodeState::serves || node.held.size() - node.mailed >= window_of(node)) { continue; }
        const double load = static_cast<double>(node.held.size()) / node.workers;
        if (best == 0 || load < least) {
            best = rank;
            least = load;
        }
    }
    return best;
}

inline bool Companion::ship() {
    bool any = (has_mail_ || board().seats()[board().workers_seats()].stopper.take()) && ship_mail();
    while (const int node = least_loaded()) {
        const std::optional<task::Claim> claim = board().claim_for_companion(seat_of(node));
        if (!claim) { break; }
        send(*claim, node);
        any = true;
    }
    std::erase_if(returned_, [&](std::uint32_t slot) { return offer_again(slot); });
    return any;
}

/// Tasks for one worker go there at once, in their order; those for a machine that is lost are lost too.
inline bool Companion::ship_mail() {
    has_mail_ = false;
    bool any = false;
    for (int rank = 1; rank < ranks_; ++rank) {
        const Node& node = nodes_[static_cast<std::size_t>(rank)];
        for (std::uint32_t index = node.first_index; index < node.first_index + node.workers; ++index) {
            while (board().has_mail(index)) {
                const std::optional<task::Claim> claim = board().claim_mail(index, seat_of(rank));
                if (!claim) { break; }
                any = true;
                if (node.state == NodeState::serves) {
                    send(*claim, rank);
                } else {
                    settle(claim->slot, rank, Ending::node_lost);
                }
            }
        }
    }
    return any;
}

inline void Companion::send(task::Claim claim, int node) {
    const task::Slot& slot = board().all_slots()[claim.slot];
    const task::Issue& issue = board().issue(claim.slot);
    const std::uint32_t place = issue.place.load(std::memory_order_relaxed);
    Node& to = nodes_[static_cast<std::size_t>(node)];
    Message head{
        .kind = Kind::task, .slot = claim.slot, .generation = claim.generation, .code = os::name_of(slot.code)};
    if (head.code == 0) {
        return end_in_exception(claim, node,
                                std::make_exception_ptr(CodecError(
                                    "procpool: this task's code has no name that other machines would know it by")));
    }
    std::vector<std::uint64_t> shared;
    try {
        if (issue.has(task::Slot::listing)) { shared = share(claim.slot, node); }
    } catch (const Error&) {
        // A call over many items that has ended drops chunks that it has asked to stop.
        return is_asked_to_stop(claim.slot) ? withdraw(claim.slot)
                                            : end_in_exception(claim, node, std::current_exception());
    }
    if ((place & task::Issue::mailed) != 0) { head.worker = (place & ~task::Issue::mailed) - to.first_index; }
    if (slot.has_limits()) {
        head.attempt = slot.attempt;
        head.timeout = issue.is_timed() ? issue.time_limit().count() : 0;
    }
    Flight& flight = flights_[claim.slot];
    flight = {.generation = claim.generation,
              .node = node,
              .place = static_cast<std::uint32_t>(to.held.size()),
              .sent = Clock::now(),
              .is_mailed = (place & task::Issue::mailed) != 0};
    to.held.push_back(claim.slot);
    if (flight.is_mailed) { ++to.mailed; }
    ++flying_;
    runs_->begin(claim.slot);
    // A sink that was set before the task was submitted gets what the task logs.
    if (wanted_level() != to.told_level) { send_beat(node); }
    reach(FaultPoint::task_claimed_for_node);
    // Large arguments stay where they are until the task is decided, which is after they have come. They may be read
    // later than that when the machine is lost and comes back: it hears that they are right only if it was not.
    if (board().is_linked(claim.slot)) {
        const auto whole = std::make_shared<const std::vector<std::byte>>(pool::with_results(board(), claim.slot));
        wire_->send(node, head, board().label_of(claim.slot), *whole, whole, shared);
    } else {
        wire_->send(node, head, board().label_of(claim.slot), board().arguments.payload(claim.slot), {}, shared);
    }
    wire_->follow_large({.kind = Kind::sent, .slot = claim.slot, .generation = claim.generation});
    if (slot.stop_request.load(std::memory_order_relaxed) != 0) {  // perhaps before it came back from another place
        board().seats()[seat_of(node)].stopper.notify();
    }
}

inline std::vector<std::uint64_t> Companion::share(std::uint32_t slot, int node) {
    forget_shared();  // first: there may be room only then
    std::vector<std::uint64_t> numbers;
    for (const client::Reference& one : client::listed_references(board(), slot)) {
        numbers.push_back(one.number);
        if (!sent_.add(one, node)) { continue; }
        log::report(LogLevel::debug, subject(), "machine {} (rank {}) gets {} bytes for tasks that refer to them",
                    record(node).host.data(), node, one.size);
        // It stays where it is until the task is decided, as large arguments do.
        wire_->send(node, {.kind = Kind::shared, .count = one.number}, {},
                    {reinterpret_cast<const std::byte*>(one.address), static_cast<std::size_t>(one.size)});
        wire_->follow_large({.kind = Kind::sent, .count = one.number});
        reach(FaultPoint::shared_sent);
    }
    return numbers;
}

inline void Companion::forget_shared() {
    sent_.tidy(board(), [&](std::uint64_t number, int node) {
        if (serves(node)) { wire_->send(node, {.kind = Kind::forget, .count = number}); }
    });
}

inline Companion::Flight* Companion::flight_of(const Received& message) noexcept {
    if (message.head.slot >= flights_.size()) { return nullptr; }
    Flight& flight = flights_[message.head.slot];
    const bool is_its = flight.node == message.from && flight.generation == message.head.generation;
    return is_its ? &flight : nullptr;
}

/// Its machine has the task no more.
inline void Companion::land(std::uint32_t slot) noexcept {
    Flight& flight = flights_[slot];
    Node& node = nodes_[static_cast<std::size_t>(flight.node)];
    if (flight.is_recalled) { --node.recalled; }
    if (flight.is_mailed) { --node.mailed; }
    node.held[flight.place] = node.held.back();
    flights_[node.held[flight.place]].place = flight.place;
    node.held.pop_back();
    flight = {};
    --flying_;
}

// ---- answers

inline bool Companion::receive() {
    bool any = false;
    Received message;
    while (wire_->receive(message)) {
        any = any || message.head.kind != Kind::beat;
        Node& node = nodes_[static_cast<std::size_t>(message.from)];
        node.heard = Clock::now();
        if (node.state == NodeState::lost) { hear_again(message.from); }
        const Flight* const flight = message.head.kind == Kind::done ? flight_of(message) : nullptr;
        node.clock.add(node.heard, message.head, flight != nullptr ? flight->sent : Time{});
        switch (message.head.kind) {
            case Kind::hello: greet(message); break;
            case Kind::done:
                if (node.state == NodeState::serves) { take(message); }
                break;
            case Kind::given_back:
                if (flight_of(message) != nullptr) { give_back(message.head.slot); }
                break;
            case Kind::trace:
                if (node.state == NodeState::serves) { runs_->add_event(message, machine_of(message.from)); }
                break;
            case Kind::progress:
                if (flight_of(message) != nullptr) {
                    table_.set_progress(message.head.slot, message.head.generation, message.head.count);
                }
                break;
            case Kind::log:
                show(message.bytes(), task::text_within(record(message.from).host), node.first_index);
                break;
            case Kind::leaving:
                if (node.state != NodeState::refused) { lose(message.from, message.text()); }
                node.state = NodeState::refused;  // it waits for the end
                break;
            case Kind::beat:
                if (std::exchange(node.gaps, message.head.generation) != message.head.generation &&
                    node.state == NodeState::serves) {
                    send_beat(message.from);
                }
                break;
            case Kind::bye:
                if (node.state == NodeState::serves) {
                    record(message.from).state.store(NodeState::ended, std::memory_order_release);
                }
                node.state = NodeState::ended;
                break;
            default: break;
        }
    }
    return any;
}

/// A machine that was frozen, or whose cable is in again, takes no part any more: it waits for the end of the pool, so
/// that the launcher does not take it for one that has failed.
inline void Companion::hear_again(int rank) {
    nodes_[static_cast<std::size_t>(rank)].state = NodeState::refused;
    wire_->send(rank, {.kind = Kind::refused}, "it had fallen silent");
    if (told_) { wire_->send(rank, {.kind = Kind::stop, .count = static_cast<std::uint64_t>(*told_)}); }
}

/// Large bytes of a machine come in the order of its messages, whether or not they are of use.
inline void Companion::take(Received& message) {
    if (!message.head.is_large()) { return finish(message, message.bytes()); }
    LargeBytes bytes{message.head.bytes};
    wire_->begin(bytes, message.from);
    incoming_.push_back({std::move(message), std::move(bytes)});
    message = {};
}

inline bool Companion::finish_incoming() {
    const std::size_t before = incoming_.size();
    std::erase_if(incoming_, [&](Incoming& incoming) {
        if (!wire_->have_come(incoming.bytes)) { return false; }
        finish(incoming.message, incoming.bytes.bytes());
        return true;
    });
    return incoming_.size() != before;
}

inline void Companion::finish(const Received& message, std::span<const std::byte> bytes) {
    Flight* const flight = flight_of(message);
    if (flight == nullptr) { return; }
    Node& node = nodes_[static_cast<std::size_t>(message.from)];
    const auto average = [](double& mean, double sample) {
        mean = mean == 0 ? std::max(sample, 1.0) : mean + (std::max(sample, 1.0) - mean) / 8;
    };
    if (message.head.residence != 0) {
        average(node.task_time, static_cast<double>(message.head.count));
        average(node.round_trip,
                static_cast<double>(nanoseconds{Clock::now() - flight->sent}.count() - message.head.residence));
        record(message.from).round_trip.store(static_cast<std::int64_t>(node.round_trip), std::memory_order_relaxed);
    }
    const task::Claim claim{message.head.slot, message.head.generation};
    const std::uint32_t seat = seat_of(message.from);
    runs_->add_run(message, machine_of(message.from));
    const bool is_mailed = flight->is_mailed;
    land(claim.slot);
    reach(FaultPoint::answer_received);
    if (message.head.phase == task::Phase::cancelled) { return withdraw(claim.slot); }
    try {
        store(claim, bytes);
    } catch (const SharedMemoryExhausted& exhausted) {
        return end_in_exception(claim, message.from, std::make_exception_ptr(exhausted));
    }
    task::Slot& slot = board().all_slots()[claim.slot];
    if (message.head.phase != task::Phase::done) {
        core::Crash crash{};
        crash.count = std::min<std::uint32_t>(message.head.numbers, core::Crash::most_frames);
        crash.signal = message.head.signal;
        crash.pid = message.head.pid;
        for (std::uint32_t i = 0; i < crash.count; ++i) { crash.frames[i] = os::address_of(message.number(i)); }
        const Ending ending = message.head.ending;
        const bool is_its_own = ending == Ending::died || ending == Ending::timed_out || ending == Ending::cancelled ||
                                ending == Ending::memory_exceeded;
        const bool has_worker = message.head.worker < node.workers;
        casualties_->settle_task(claim.slot,
                                 {.worker = {message.head.pid, message.head.status},
                                  .ending = is_its_own ? ending : Ending::node_lost,
                                  .crash = crash.count != 0 ? &crash : nullptr,
                                  .level = task::Queue::given_back,
                                  .index = has_worker ? node.first_index + message.head.worker : LogRecord::no_worker,
                                  .host = host_of(static_cast<std::uint32_t>(message.from)),
                                  .excess = message.head.excess});
        // A mailbox keeps one task that runs again: the next such loss must find it gone.
        if (is_mailed) { static_cast<void>(ship_mail()); }
        return;
    }
    slot.outcome = message.head.ending == Ending::exception ? Ending::exception : Ending::value;
    task::Seat& count = board().seats()[seat];
    auto& counter = slot.outcome == Ending::value ? count.completed : count.failed;
    counter.fetch_add(1, std::memory_order_relaxed);
    record(message.from).done.fetch_add(1, std::memory_order_relaxed);
    const bool is_done = board().finish(claim, seat);
    board().wake_for_ready();
    if (!is_done) {  // condemned meanwhile
        counter.fetch_sub(1, std::memory_order_relaxed);
        settle(claim.slot, message.from, Ending::cancelled);
    }
}

inline void Companion::store(task::Claim claim, std::span<const std::byte> bytes) {
    task::ResultStore& results = board().results;
    std::span<std::byte> buffer = results.first_buffer(claim.slot);
    if (bytes.size() > buffer.size()) { buffer = results.grow(claim.slot, claim.generation, buffer, 0, bytes.size()); }
    std::memcpy(buffer.data(), bytes.data(), bytes.size());
    results.seal(claim.slot, buffer, bytes.size());
}

/// Effects: ends a task that the machine has not, or has no more.
inline void Companion::end_in_exception(task::Claim claim, int node, const std::exception_ptr& error) {
    std::vector<std::byte> bytes(512);
    Writer out{bytes, codec::grow_vector, &bytes, codec::visibility_in_this_process};
    codec::encode_exception(out, error);
    try {
        store(claim, std::span{bytes}.first(out.size()));
        board().all_slots()[claim.slot].outcome = Ending::exception;
        board().seats()[seat_of(node)].failed.fetch_add(1, std::memory_order_relaxed);
        if (board().finish(claim, seat_of(node))) { return board().wake_for_ready(); }
        board().seats()[seat_of(node)].failed.fetch_sub(1, std::memory_order_relaxed);
    } catch (const SharedMemoryExhausted&) {  // not even room for that
    }
    settle(claim.slot, node, Ending::node_lost);
}

inline void Companion::settle(std::uint32_t slot, int rank, Ending ending) noexcept {
    casualties_->settle_task(slot, {.worker = {},
                                    .ending = ending,
                                    .level = task::Queue::given_back,
                                    .host = host_of(static_cast<std::uint32_t>(rank))});
}

/// It is for a worker that has nothing to do, and may have to wake up: no machine gets it in advance meanwhile.
inline void Companion::give_back(std::uint32_t slot) {
    constexpr std::chrono::milliseconds long_enough{10};
    for_others_until_ = looked_ + long_enough;
    land(slot);
    runs_->forget(slot);
    if (!offer_again(slot)) { returned_.push_back(slot); }
}

/// Effects: ends a cancelled task that no worker has begun.
inline void Companion::withdraw(std::uint32_t slot) noexcept {
    std::atomic<std::uint64_t>& count = board().control.withdrawn;
    for (;;) {
        const task::Word word{board().all_slots()[slot].word.load(std::memory_order_acquire)};
        if (word.phase() != task::Phase::started) { return; }  // a task has written there
        if (word.is_condemned()) {                             // and has been counted
            return settle(slot, static_cast<int>(word.seat() - board().workers_seats()), Ending::cancelled);
        }
        count.fetch_add(1, std::memory_order_relaxed);  // first, as settle_task()
        if (board().withdraw_started(slot, word)) { return board().wake_for_ready(); }
        count.fetch_sub(1, std::memory_order_relaxed);
    }
}

inline bool Companion::is_asked_to_stop(std::uint32_t slot) noexcept {
    const std::uint64_t asked = board().all_slots()[slot].stop_request.load(std::memory_order_relaxed);
    return asked != 0 && asked == board().number_of(slot).load(std::memory_order_relaxed);
}

/// Returns: false when there is no room for it, or its word changes.
inline bool Companion::offer_again(std::uint32_t slot) noexcept {
    const task::Word word{board().all_slots()[slot].word.load(std::memory_order_acquire)};
    if (word.phase() != task::Phase::started) { return true; }  // a task has written there
    if (word.is_condemned() || is_asked_to_stop(slot)) {
        withdraw(slot);
        return true;
    }
    if (!board().requeue(slot, word, task::Queue::given_back)) { return false; }
    board().wake_for_new_task();
    return true;
}

// ---- end

inline bool Companion::is_done() {
    if (!told_) {
        const bool may_end = life() == task::Life::closing && flying_ == 0 && incoming_.empty() && returned_.empty() &&
                             board().queue.was_empty() && !board().has_blocked() && !board().has_mail();
        if (!may_end) { return false; }
        tell_end(task::Life::closing);
    }
    return std::none_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
        return node.state == NodeState::serves || node.state == NodeState::refused;
    });
}

inline void Companion::tell_end(task::Life how) {
    if (!has_started_) {
        has_started_ = true;
        table_.set_start(Table::Start::failed, "the pool was ended before the other machines were there");
    }
    told_ = how;
    for (int rank = 1; rank < ranks_; ++rank) {
        const NodeState state = nodes_[static_cast<std::size_t>(rank)].state;
        if (state != NodeState::serves && state != NodeState::refused) { continue; }
        Message stop{.kind = Kind::stop, .count = static_cast<std::uint64_t>(how)};
        if (has_program_ended()) { stop.worker = 0; }
        wire_->send(rank, stop);
    }
}

inline bool Companion::has_program_ended() const noexcept {
    return board_->control.program_ended.load(std::memory_order_relaxed) != 0;
}

inline void Companion::leave() {
    constexpr std::chrono::seconds longest{1};
    for (int rank = 1; rank < ranks_; ++rank) {
        if (nodes_[static_cast<std::size_t>(rank)].state == NodeState::ended) {
            wire_->send(rank, {.kind = Kind::bye});
        }
    }
    for (const Deadline end = Deadline::after(longest); !wire_->is_idle() && !end.passed(); wire_->tidy()) {
        os::yield();
    }
    constexpr std::chrono::milliseconds in_a_hurry{300};
    const std::chrono::seconds patience{has_lost_ ? 1 : 10};
    wire_->finalize(has_program_ended() ? in_a_hurry : patience);
}

}  // namespace procpool::detail::mpi
