// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Launched: a child of this process that runs one function, and what it came to.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/log/log.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/exit_hook.hpp>
#include <procpool/os/first_thread.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/life_line.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/streams.hpp>
#include <procpool/os/thread_locals.hpp>
#include <procpool/worker/setup.hpp>
#include <procpool/worker/this_worker.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

namespace procpool::inline v0::detail::process {

/// What the child leaves for its parent, at the start of a page that both have. All-zero memory is the valid initial
/// state.
struct Farewell {
    std::atomic<std::uint32_t> exit_code;   // plus 1, once it has come to exit()
    std::atomic<std::uint32_t> error_size;  // bytes behind this that tell the exception it ended by; 0: none
    static constexpr std::size_t most = std::size_t{1} << 20;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free,
              "a lock of the library's own would be private to each process");

/// The child's side.
class Launch {
public:
    using Run = int (*)(void* what);

    /// What the parent knows of a child it is about to fork.
    struct Start {
        const std::string& name;
        std::byte* page;
        pid_t parent;
        bool in_first_thread;  ///< of the parent
        os::Descriptor alive;  ///< a pidfd of the parent, if there are any
        Run run;
        void* what;
    };

    /// Effects: is the child from the fork to its end, in the process group of its parent. Called by: the child, with
    /// all signals blocked.
    [[noreturn]] static void live(Start& start) noexcept {
        os::reset_all_signals();
        self_ = os::this_process();
        farewell_ = reinterpret_cast<Farewell*>(start.page);
        os::LifeLine::Watch watch = os::LifeLine::watch_parent(std::move(start.alive), true);
        // The end of the thread that forked this one is the parent's only if it is the first.
        if (start.in_first_thread) { static_cast<void>(os::die_with_parent(start.parent)); }
        stay_with_parent(watch);
        if (watch.is_gone()) { os::leave(EXIT_FAILURE); }
        os::ThreadLocals::forget();
        os::hook_exits(leave_on_exit);
        os::purge_standard_streams();
        os::close_standard_input();
        os::name_process(start.name.c_str());
        task::thread_context = {};  // also in a task: what it starts is no worker
        os::unblock_all_signals();
        int code = EXIT_FAILURE;
        try {
            kill_when_gone(std::move(watch));
            code = start.run(start.what);
        } catch (...) { report(start.name, std::current_exception()); }
        std::exit(code);
    }

private:
    /// exit(), called by anybody: what the child gave to atexit() has run by now, what its parent gave must not.
    static void leave_on_exit(int status, bool quick) noexcept {
        if (os::this_process() == self_) {
            farewell_->exit_code.store((static_cast<std::uint32_t>(status) & 0xff) + 1, std::memory_order_release);
        }
        if (!quick) { os::flush_standard_streams(); }
        os::leave(status);
    }

    static void report(const std::string& name, const std::exception_ptr& thrown) noexcept {
        // Null: pthread_exit(), which unwinds the thread and must not come further; or a child of the child that came
        // out of the function here.
        if (!thrown || os::this_process() != self_) { std::exit(thrown ? EXIT_FAILURE : EXIT_SUCCESS); }
        procpool::log(LogLevel::error, "process '{}' ended by an exception that nobody caught: {}", name,
                      worker::describe_current_exception());
        constexpr auto no_more_room = [](void*, std::span<std::byte>, std::size_t,
                                         std::size_t) -> std::span<std::byte> {
            throw CodecError("procpool: there is no room for so long an exception");
        };
        try {
            Writer out{{reinterpret_cast<std::byte*>(farewell_ + 1), Farewell::most - sizeof(Farewell)},
                       no_more_room,
                       nullptr};
            encode_exception(out, thrown);
            farewell_->error_size.store(static_cast<std::uint32_t>(out.size()), std::memory_order_release);
        } catch (...) {  // the exit code says that there was one
        }
    }

    /// Effects: the kernel wakes this process at its parent's end if it is stopped, and ends what it may be executing
    /// by then. Once it executes another program, SIGIO has its default action.
    static void stay_with_parent(const os::LifeLine::Watch& watch) noexcept {
        os::SignalsAtEnd::ask(watch.pipe(), SIGCONT);
        watch_ = &watch;
        os::reset_signal(SIGIO, [](int) {
            if (watch_->has_let_go()) { os::signal_child(os::this_process(), SIGKILL); }
        });
        os::SignalsAtEnd::ask(watch.pipe(), SIGIO, os::Exec::keeps_it);
    }

    /// Effects: a thread kills this process when its parent ends, also if this one has changed its user meanwhile.
    static void kill_when_gone(os::LifeLine::Watch watch) {
        auto* const kept = new os::LifeLine::Watch{std::move(watch)};
        watch_ = kept;
        const os::AllSignalsBlocked inherited_by_the_thread;
        std::thread([kept] {
            constexpr std::chrono::milliseconds now_and_then{100};
            while (!kept->is_gone()) {
                const Deadline deadline = kept->must_ask() ? Deadline::after(now_and_then) : Deadline::never();
                static_cast<void>(os::wait_any_readable<2>({kept->pipe(), kept->process()}, deadline));
            }
            os::signal_child(os::this_process(), SIGKILL);
        }).detach();
    }

    static inline constinit pid_t self_ = 0;
    static inline constinit Farewell* farewell_ = nullptr;
    static inline constinit const os::LifeLine::Watch* watch_ = nullptr;
};

/// The parent's side. Called by: any thread of the process that launched it, unless said otherwise.
class Launched {
public:
    /// Effects: forks a child that calls run(what). Throws: std::system_error, SharedMemoryExhausted; there is no child
    /// then.
    Launched(std::string name, Launch::Run run, void* what) : name_(std::move(name)), page_(Farewell::most) {
        log::prepare_log();
        os::ThreadLocals::prepare();
        const std::lock_guard one_at_a_time{os::forking};
        line_ = os::LifeLine::lease();
        const pid_t parent = os::this_process();
        Launch::Start start{name_, page_.data(), parent, os::in_first_thread(), os::open_pidfd(parent), run, what};
        if (start.in_first_thread) { os::outlive_children(); }
        std::optional<os::Pipe> life_line;
        if (!start.alive) { life_line.emplace(); }
        os::flush_standard_streams();
        pid_t pid = 0;
        {
            const os::AllSignalsBlocked blocked;
            pid = os::try_fork();
            if (pid == 0) { Launch::live(start); }
        }
        if (pid < 0) { os::throw_error(errno, "fork"); }
        child_ = os::Child{pid};
        if (life_line) { life_line_ = std::move(life_line->reading); }
    }
    Launched(const Launched&) = delete;
    Launched& operator=(const Launched&) = delete;

    /// Whether the caller is the process that launched it, and no forked child of that one.
    [[nodiscard]] bool is_mine() const noexcept { return os::is_process(owner_); }
    [[nodiscard]] pid_t pid() const noexcept { return child_.pid(); }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// Readable when it has ended; without pidfds, when its own children have ended too.
    [[nodiscard]] int descriptor() const noexcept {
        return child_.descriptor() >= 0 ? child_.descriptor() : life_line_.number();
    }

    /// Effects: gives back what the system keeps of a child that has ended.
    [[nodiscard]] bool has_ended() noexcept {
        const std::lock_guard guard{mutex_};
        if (!ended_ && child_.has_ended()) {
            const std::uint32_t left = farewell().exit_code.load(std::memory_order_acquire);
            // Somebody else may have taken the status: then what the child said last must do.
            const ExitStatus said = left != 0 ? ExitStatus::from_code(static_cast<int>(left - 1)) : ExitStatus{};
            status_ = child_.reap().value_or(said);
            ended_ = true;
            const bool as_asked =
                was_asked_ && status_.signaled() && (status_.signal() == SIGTERM || status_.signal() == SIGKILL);
            if (status_.signaled() && !as_asked) {
                log::report(LogLevel::error, {.pid = child_.pid()}, "process '{}' {}", name_, to_string(status_));
            }
        }
        return ended_;
    }

    /// Blocks until it has ended. Returns: false when the deadline came first.
    [[nodiscard]] bool wait(Deadline deadline) noexcept {
        // Without a pidfd it is looked for by its number, which is another's once it is reaped.
        const auto longest = std::chrono::milliseconds{100};
        while (!has_ended()) {
            if (deadline.passed()) { return false; }
            static_cast<void>(child_.wait_for_end(
                child_.descriptor() >= 0 ? deadline : deadline.or_sooner(Deadline::after(longest))));
        }
        log::settle_log();
        return true;
    }

    /// Effects: none when it has ended. Returns: false when the system refuses, because this process may not signal the
    /// child's user, say.
    [[nodiscard]] bool ask_to_end() noexcept { return signal(SIGTERM); }
    [[nodiscard]] bool kill() noexcept { return signal(SIGKILL); }

    /// Throws: std::system_error unless ask_to_end() or kill(), called just before, returned true.
    static void require(bool sent) {
        if (!sent) { os::throw_error(EPERM, "kill"); }
    }
    void tell_that_it_goes_on() const noexcept {
        log::report(LogLevel::error, {.pid = child_.pid()}, "process '{}' could not be killed and goes on", name_);
    }

    /// Returns: neither exited nor signaled before has_ended().
    [[nodiscard]] ExitStatus status() const noexcept {
        const std::lock_guard guard{mutex_};
        return status_;
    }

    /// Returns: the exception that it ended by; null if it did not, or has not ended.
    [[nodiscard]] std::exception_ptr error() const {
        const std::lock_guard guard{mutex_};
        // What the child has written there counts as far as it can be.
        const std::size_t size = std::min<std::size_t>(farewell().error_size.load(std::memory_order_acquire),
                                                       Farewell::most - sizeof(Farewell));
        if (!ended_ || size == 0) { return nullptr; }
        Reader in{{page_.data() + sizeof(Farewell), size}};
        return decode_exception(in);
    }

private:
    [[nodiscard]] bool signal(int number) noexcept {
        const std::lock_guard guard{mutex_};  // nobody reaps it meanwhile
        if (ended_) { return true; }
        const bool sent = child_.signal(number);
        was_asked_ = was_asked_ || sent;
        return sent;
    }

    [[nodiscard]] Farewell& farewell() const noexcept { return *reinterpret_cast<Farewell*>(page_.data()); }

    const os::Token owner_ = os::process_token();
    std::string name_;
    os::Mapping page_;
    os::LifeLine::Lease line_;
    os::Child child_;
    os::Descriptor life_line_;
    mutable std::mutex mutex_;
    bool ended_ = false;
    bool was_asked_ = false;  // to end, by its owner
    ExitStatus status_;
};

}  // namespace procpool::detail::process
