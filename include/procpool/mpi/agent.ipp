// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/mpi/agent.hpp>

#include <procpool/codec/exception.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/log/report.hpp>
#include <procpool/log/shared_records.hpp>
#include <procpool/log/tracer.hpp>
#include <procpool/os/code_name.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/streams.hpp>
#include <procpool/os/yield.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>

namespace procpool::inline v0::detail::mpi {

[[noreturn]] inline void Agent::serve() {
    os::stay_when_memory_runs_out();
    os::sleep_exactly();
    wire_.emplace();
    if (wire_->size() != ranks_) {  // rank 0 says it too, and goes on
        log::report(LogLevel::error, {.pool = client_.board().control.name.data()},
                    "rank {} of {} ends, since MPI knows of {} only: the program was built with another MPI than the "
                    "launcher's",
                    machine_.node, ranks_, wire_->size());
        flush_log();
        client_.stop(task::Life::killed);
        static_cast<void>(client_.join(Deadline::never()));
        wire_->finalize(std::chrono::seconds{1});
        std::exit(EXIT_FAILURE);
    }
    heard_ = looked_ = beaten_ = Clock::now();
    say_hello();
    constexpr Rest::microseconds busy{50};
    constexpr Rest::microseconds idle{1000};
    constexpr Rest::microseconds long_idle{10000};
    constexpr std::chrono::seconds long_time{10};
    while (!told_) {
        bool worked = receive();
        worked = submit_arrivals() || worked;
        worked = answer() || worked;
        wire_->tidy();
        look_around(Clock::now());
        if (worked) {
            rest_.worked();
        } else {
            const bool has_work = !tasks_.empty() || !arrivals_.empty() || !wire_->is_idle();
            rest_.wait(has_work ? busy : rest_.is_longer_than(long_time) ? long_idle : idle);
        }
    }
    leave();
    std::exit(EXIT_SUCCESS);
}

inline void Agent::say_hello() {
    const std::string modules = os::describe_modules();
    const task::Board& board = client_.board();
    wire_->send(0,
                {.kind = Kind::hello,
                 .worker = static_cast<std::uint32_t>(board.parents_slots().size()),
                 .count = board.control.places},
                machine_.host.data(), std::as_bytes(std::span{modules}));
}

inline bool Agent::receive() {
    bool any = false;
    Received message;
    while (wire_->receive(message)) {
        any = any || message.head.kind != Kind::beat;  // a beat leaves an idle machine idle
        heard_ = Clock::now();
        const Kind kind = message.head.kind;
        if (kind != Kind::task && kind != Kind::shared && kind != Kind::forget) {
            obey(message);
            continue;
        }
        Arrival arrival{std::move(message), std::nullopt, true, std::nullopt};
        message = {};
        if (arrival.message.head.is_large()) {
            arrival.is_right = false;
            wire_->begin(arrival.bytes.emplace(arrival.message.head.bytes), 0);
        }
        arrivals_.push_back(std::move(arrival));
    }
    return any;
}

/// In the order in which they came: those for one worker start in that order.
inline bool Agent::submit_arrivals() {
    bool any = false;
    if (is_out_) { drop_arrivals(); }
    while (!arrivals_.empty()) {
        Arrival& first = arrivals_.front();
        if (first.bytes && !(first.is_right && wire_->have_come(*first.bytes))) { break; }
        if (is_in_doubt()) { break; }
        const std::span<const std::byte> arguments = first.bytes ? first.bytes->bytes() : first.message.bytes();
        const bool is_task = first.message.head.kind == Kind::task;
        if (is_task) { reach(FaultPoint::task_received); }
        if (!is_task) {
            share(std::move(first));
        } else if (first.wish) {
            say(*first.wish == Kind::recall ? Kind::given_back : Kind::done, first.message, Ending::cancelled);
        } else if (!submit(first.message, arguments)) {
            break;
        }
        arrivals_.pop_front();
        any = true;
    }
    return any;
}

/// Effects: tasks that follow refer to it, or none does.
inline void Agent::share(Arrival&& arrival) {
    const std::uint64_t number = arrival.message.head.count;
    if (arrival.message.head.kind == Kind::forget) {
        shared_.erase(number);
    } else {
        reach(FaultPoint::shared_received);
        shared_.insert_or_assign(
            number, std::make_shared<FarMemory>(client_, std::move(arrival.message), std::move(arrival.bytes)));
    }
}

inline std::vector<std::shared_ptr<FarMemory>> Agent::find_shared(const Received& task) {
    std::vector<std::shared_ptr<FarMemory>> all;
    for (std::uint32_t i = 0; i < task.head.numbers; ++i) {
        const auto found = shared_.find(task.number(i));
        if (found == shared_.end()) { throw CodecError("procpool: what a task refers to is not on its machine"); }
        found->second->place();
        all.push_back(found->second);
    }
    return all;
}

/// Effects: forgets them: nobody waits for them here.
inline void Agent::drop_arrivals() {
    for (Arrival& arrival : arrivals_) {
        if (arrival.bytes) { wire_->abandon(std::move(*arrival.bytes)); }
    }
    arrivals_.clear();
}

/// After this process has not run for a while its machine may have been lost: others have the tasks that were on their
/// way here, and large arguments may have been overwritten since. Returns: whether no task may be submitted, until the
/// companion has answered a beat of afterwards.
inline bool Agent::is_in_doubt() {
    if (const Time now = Clock::now(); now - looked_ > options_.node_timeout / 2) { look_around(now); }
    return is_in_doubt_;
}

/// Effects: tells of a task that it will not run here.
inline void Agent::say(Kind kind, const Received& about, Ending ending) {
    wire_->send(0, {.kind = kind,
                    .phase = ending == Ending::cancelled ? task::Phase::cancelled : task::Phase::lost,
                    .ending = ending,
                    .slot = about.head.slot,
                    .generation = about.head.generation});
}

/// Returns: false when there is no slot for it now.
inline bool Agent::submit(const Received& message, std::span<const std::byte> arguments) {
    const Message& head = message.head;
    const std::uintptr_t code = os::code_of(head.code);
    // A task without limits has no attempts.
    constexpr std::chrono::hours hundred_years{24 * 365 * 100};
    const std::int64_t no_limit = head.attempt != 0 ? std::chrono::nanoseconds{hundred_years}.count() : 0;
    client::Submission submission{.code = reinterpret_cast<TaskCode>(code),
                                  .patience = client::Patience::try_once,
                                  .timeout = std::chrono::nanoseconds{head.timeout != 0 ? head.timeout : no_limit},
                                  .attempt = head.attempt,
                                  .label = message.text(),
                                  .plain = true};
    if (head.worker != client::Submission::any_worker) { submission.worker = head.worker; }
    const std::size_t before = tasks_.size();
    try {
        if (code == 0) {
            throw CodecError("procpool: machine " + std::string(machine_.host.data()) +
                             " has not the code of a task: " + os::explain_name(head.code));
        }
        client_.check_code(code);
        std::vector<std::shared_ptr<FarMemory>> shared = find_shared(message);
        const std::optional<client::Ticket> ticket =
            client_.submit(submission, [&](Writer& out) { out.write(arguments.data(), arguments.size()); });
        if (!ticket) { return false; }
        tasks_.push_back({head.slot, head.generation, *ticket, Clock::now(), before, std::move(shared)});
    } catch (const PoolClosed&) { say(Kind::done, message, Ending::terminated); } catch (const PoolBroken&) {
        say(Kind::done, message, Ending::broken);
    } catch (const std::exception&) {
        std::array<std::byte, Message::most_inline> bytes;
        Writer out{bytes,
                   [](void*, std::span<std::byte> all, std::size_t, std::size_t) -> std::span<std::byte> {
                       throw SharedMemoryExhausted{all.size()};
                   },
                   nullptr, codec::visibility_in_this_process};
        codec::encode_exception(out, std::current_exception());
        wire_->send(0,
                    {.kind = Kind::done,
                     .phase = task::Phase::done,
                     .ending = Ending::exception,
                     .slot = head.slot,
                     .generation = head.generation},
                    {}, std::span{bytes}.first(out.size()));
    }
    return true;
}

/// Tasks of one worker end in the order in which they came, and are answered in it: looked at backwards, if one is seen
/// decided, so are those decided before it.
inline bool Agent::answer() {
    bool any = false;
    for (auto task = tasks_.rbegin(); task != tasks_.rend(); ++task) {
        task->is_decided = client_.poll(task->ticket);
        any |= task->is_decided;
    }
    for (auto task = tasks_.begin(); task != tasks_.end();) {
        if (!task->is_decided) {
            ++task;
            continue;
        }
        reach(FaultPoint::answer_ready);
        read_trace();   // its run was added before it was decided
        if (is_out_) {  // another machine has it by now
            static_cast<void>(client_.take(task->ticket));
        } else {
            answer(*task);
        }
        task = tasks_.erase(task);
    }
    if (tasks_.empty()) { runs_.clear(); }
    return any;
}

inline void Agent::answer(const Task& task) {
    client::Taken taken = client_.take(task.ticket);
    const Time now = Clock::now();
    const auto residence = now - task.came;
    // A task that came when all workers had one has waited for some of those.
    const std::uint64_t rounds = 1 + task.before / std::max<std::uint32_t>(1, client_.board().control.places);
    Message head{.kind = Kind::done,
                 .phase = taken.phase(),
                 .ending = taken.ending(),
                 .slot = task.slot,
                 .generation = task.generation,
                 .residence = residence.count(),
                 .sent = now.time_since_epoch().count(),
                 .count = static_cast<std::uint64_t>(residence.count()) / rounds};
    std::array<std::uint64_t, core::Crash::most_frames> frames{};
    std::size_t frame_count = 0;
    if (const client::Failure* const failure = taken.failure()) {
        head.pid = failure->death.pid;
        head.worker = failure->death.worker;
        head.status = failure->death.status;
        head.signal = failure->death.crash.signal;
        head.excess = failure->death.excess.resident;
        frame_count = std::min<std::size_t>(failure->death.crash.count, frames.size());
        std::transform(failure->death.crash.frames.begin(), failure->death.crash.frames.begin() + frame_count,
                       frames.begin(), [](std::uintptr_t frame) { return os::name_of(frame); });
    }
    const auto run = runs_.extract(static_cast<std::uint64_t>(task.ticket.serial));
    const std::string_view run_bytes =
        run ? std::string_view{reinterpret_cast<const char*>(&run.mapped()), sizeof(log::TraceRecord)}
            : std::string_view{};
    const std::span<const std::byte> bytes = taken.bytes();
    if (bytes.size() <= Message::most_inline) {
        wire_->send(0, head, run_bytes, bytes, {}, std::span{frames}.first(frame_count));
        return;
    }
    const auto kept = std::make_shared<client::Taken>(std::move(taken));
    wire_->send(0, head, run_bytes, kept->bytes(), kept, std::span{frames}.first(frame_count));
}

inline void Agent::obey(const Received& message) {
    switch (message.head.kind) {
        case Kind::welcome:
            machine_.first_index.store(static_cast<std::uint32_t>(message.head.count), std::memory_order_relaxed);
            break;
        case Kind::beat:
            if (last_beat_ == 0) { beaten_ = {}; }  // the companion wants to know the clock before it gets times
            last_beat_ = message.head.sent;
            last_beat_came_ = heard_;
            if (message.head.generation == gaps_) { is_in_doubt_ = false; }
            log_.want(static_cast<LogLevel>(
                std::min<std::uint64_t>(message.head.count, static_cast<std::uint64_t>(LogLevel::off))));
            break;
        case Kind::refused:
            is_out_ = true;
            client_.stop(task::Life::killed);
            break;
        case Kind::stop:
            told_ = static_cast<task::Life>(
                std::min<std::uint64_t>(message.head.count, static_cast<std::uint64_t>(task::Life::broken)));
            has_program_ended_ = message.head.worker == 0;
            break;
        case Kind::bye: may_go_ = true; break;
        case Kind::sent:
            if (Arrival* const arrival = find_arrival(message.head)) { arrival->is_right = true; }
            break;
        case Kind::recall:
        case Kind::cancel:
        case Kind::kill: fulfil(message); break;
        default: break;
    }
}

inline Agent::Arrival* Agent::find_arrival(const Message& about) noexcept {
    const auto found = std::find_if(arrivals_.begin(), arrivals_.end(),
                                    [&](const Arrival& arrival) { return arrival.is_named_by(about); });
    return found != arrivals_.end() ? &*found : nullptr;
}

/// Effects: recalls, cancels or kills a task.
inline void Agent::fulfil(const Received& wish) {
    const auto task = std::find_if(tasks_.begin(), tasks_.end(), [&](const Task& one) {
        return one.slot == wish.head.slot && one.generation == wish.head.generation;
    });
    if (task == tasks_.end()) {
        if (Arrival* const arrival = find_arrival(wish.head)) { arrival->wish = wish.head.kind; }
        return;
    }
    const client::Ticket ticket = task->ticket;
    if (wish.head.kind == Kind::kill) {
        static_cast<void>(client_.kill(ticket));
    } else if (!client_.withdraw(ticket)) {
        if (wish.head.kind == Kind::cancel) { client_.request_stop(ticket); }
    } else if (wish.head.kind == Kind::recall) {
        static_cast<void>(client_.take(ticket));
        tasks_.erase(task);
        say(Kind::given_back, wish, Ending::cancelled);
    }
}

inline void Agent::send_log() {
    for (const log::JournalEntry& entry : log_.take()) {
        wire_->send(0, {.kind = Kind::log}, {}, std::as_bytes(std::span{&entry, 1}));
    }
}

inline void Agent::send_beat(Time now) {
    wire_->send(0, {.kind = Kind::beat,
                    .generation = gaps_,
                    .residence = std::chrono::nanoseconds{now - last_beat_came_}.count(),
                    .sent = std::chrono::nanoseconds{now.time_since_epoch()}.count(),
                    .echo = last_beat_});
}

inline void Agent::send_progress() {
    for (Task& task : tasks_) {
        const std::uint64_t items = client_.items_done(task.ticket);
        if (items <= task.items) { continue; }
        task.items = items;
        wire_->send(0, {.kind = Kind::progress, .slot = task.slot, .generation = task.generation, .count = items});
    }
}

inline void Agent::read_trace() {
    const std::uint32_t pool = client_.board().control.trace_id;
    log::SharedRecords* const records = log::SharedRecords::current();
    if (pool == 0 || records == nullptr || last_beat_ == 0) { return; }  // its workers may have no indexes yet
    records->trace.take(trace_, [&](const log::TraceRecord& shared) {
        const log::TraceRecord record = shared;
        if (record.pool != pool || !record.has_time()) { return; }
        if (record.kind == log::TraceKind::task) {
            runs_.insert_or_assign(record.task, record);
        } else {
            wire_->send(0, {.kind = Kind::trace, .sent = log::trace_time()}, {}, std::as_bytes(std::span{&record, 1}));
        }
    });
}

inline void Agent::look_around(Time now) {
    constexpr std::chrono::milliseconds long_gap{100};
    const auto gap = now - looked_;
    if (gap > long_gap) { heard_ = std::min(heard_ + gap, now); }  // it did not run meanwhile
    if (gap > options_.node_timeout / 2) {
        ++gaps_;
        is_in_doubt_ = true;
        beaten_ = {};
    }
    looked_ = now;
    send_log();
    if (now - beaten_ >= std::min<std::chrono::nanoseconds>(beat_every, options_.node_timeout / 4)) {
        beaten_ = now;
        send_beat(now);
        send_progress();
        read_trace();
        client_.check_crew();
    }
    if (now - heard_ > options_.node_timeout) { end_with_root(); }
    if (!is_out_ && !told_ && client_.life() > task::Life::closing) {
        is_out_ = true;
        wire_->send(0, {.kind = Kind::leaving}, "cannot go on: " + std::string(client_.board().from_workers.reason()));
    }
}

/// The companion is gone, or cannot be reached: nobody wants what runs here.
[[gnu::cold]] inline void Agent::end_with_root() noexcept {
    constexpr std::chrono::seconds longest{2};
    log::report(LogLevel::error, {.pool = client_.board().control.name.data()},
                "machine {} has not heard from that of rank 0 for {} ms: its workers end", machine_.host.data(),
                options_.node_timeout.count());
    client_.stop(task::Life::killed);
    static_cast<void>(client_.join(Deadline::after(longest)));
    os::leave(EXIT_FAILURE);
}

inline void Agent::leave() {
    constexpr std::chrono::milliseconds slice{20};
    client_.stop(std::max(*told_, task::Life::closing));
    for (bool has_ended = false; !has_ended;) {
        has_ended = client_.join(Deadline::after(slice));
        static_cast<void>(receive());  // the companion may be in more of a hurry now
        client_.stop(std::max(*told_, task::Life::closing));
        static_cast<void>(answer());
        wire_->tidy();
        look_around(Clock::now());
    }
    flush_log();
    send_log();
    read_trace();
    wire_->send(0, {.kind = Kind::bye});
    // Not before the others, which may take their time: a rank that finalizes waits for all.
    constexpr std::chrono::milliseconds in_a_hurry{300};
    const Deadline end = has_program_ended_ ? Deadline::after(in_a_hurry) : Deadline::never();
    while (!may_go_ && !end.passed()) {
        static_cast<void>(receive());
        wire_->tidy();
        look_around(Clock::now());
        rest_.wait(Rest::microseconds{1000});
    }
    wire_->finalize(has_program_ended_ ? in_a_hurry : options_.node_timeout + std::chrono::seconds{1});
}

}  // namespace procpool::detail::mpi
