// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Launched: a child of this process that runs one function, and what it came to.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/exit_status.hpp>
#include <procpool/engine/log_sink.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/descriptor.hpp>
#include <procpool/os/first_thread.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/memory.hpp>
#include <procpool/os/process.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/streams.hpp>
#include <procpool/worker/log.hpp>
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

namespace procpool::engine {

/// What the child leaves for its parent, at the start of a page that both have. All-zero memory is the valid initial state.
struct Farewell {
    std::atomic<std::uint32_t> exit_code;   // plus 1, once it has come to exit()
    std::atomic<std::uint32_t> error_size;  // bytes behind this that tell the exception it ended by; 0: none
    static constexpr std::size_t most = std::size_t{1} << 20;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "a lock of the library's own would be private to each process");

/// The child's side.
class Launch {
public:
    using Run = int (*)(void* what);

    /// Effects: is the child from the fork to its end, in the process group of its parent. Called by: the child, with all signals blocked.
    [[noreturn]] static void live(const std::string& name, std::byte* page, pid_t parent, bool forked_in_first_thread, Run run, void* what) noexcept {
        if (forked_in_first_thread && !os::die_with_parent(parent)) { os::leave(EXIT_FAILURE); }
        os::reset_all_signals();
        os::purge_standard_streams();
        os::close_standard_input();
        os::name_process(name.c_str());
        worker::identity = {};  // also in a task: what it starts is no worker
        self_ = os::this_process();
        farewell_ = reinterpret_cast<Farewell*>(page);
        ::on_exit(leave_on_exit, nullptr);
        os::unblock_all_signals();
        int code = EXIT_FAILURE;
        try {
            if (!forked_in_first_thread) { watch(parent); }
            code = run(what);
        } catch (...) { report(name, std::current_exception()); }
        std::exit(code);
    }

private:
    /// exit(), called by anybody: what the child gave to atexit() has run by now, what its parent gave must not.
    static void leave_on_exit(int status, void*) noexcept {
        if (os::this_process() == self_) { farewell_->exit_code.store((static_cast<std::uint32_t>(status) & 0xff) + 1, std::memory_order_release); }
        os::flush_standard_streams();
        os::leave(status);
    }

    static void report(const std::string& name, const std::exception_ptr& thrown) noexcept {
        // Null: pthread_exit(), which unwinds the thread and must not come further; or a child of the child that came out of the function here.
        if (!thrown || os::this_process() != self_) { std::exit(thrown ? EXIT_FAILURE : EXIT_SUCCESS); }
        log(LogLevel::error, "process '{}' ended by an exception that nobody caught: {}", name, worker::describe_current_exception());
        constexpr auto no_more_room = [](void*, std::span<std::byte>, std::size_t, std::size_t) -> std::span<std::byte> {
            throw CodecError("procpool: there is no room for so long an exception");
        };
        try {
            Writer out{{reinterpret_cast<std::byte*>(farewell_ + 1), Farewell::most - sizeof(Farewell)}, no_more_room, nullptr};
            encode_exception(out, thrown);
            farewell_->error_size.store(static_cast<std::uint32_t>(out.size()), std::memory_order_release);
        } catch (...) {  // the exit code says that there was one
        }
    }

    /// Effects: this process is killed when its parent ends, on whichever thread the parent forked it.
    static void watch(pid_t parent) {
        os::Descriptor alive = os::open_pidfd(parent);
        if (os::parent_process() != parent) { os::leave(EXIT_FAILURE); }  // after it was opened: it is the parent's
        const os::AllSignalsBlocked inherited_by_the_thread;
        std::thread([alive = std::move(alive), parent] {
            if (alive) { static_cast<void>(os::wait_readable(alive.number(), Deadline::never())); }
            while (os::parent_process() == parent) { std::this_thread::sleep_for(std::chrono::milliseconds{100}); }
            os::signal_child(os::this_process(), SIGKILL);
        }).detach();
    }

    static inline constinit pid_t self_ = 0;
    static inline constinit Farewell* farewell_ = nullptr;
};

/// The parent's side. Called by: any thread of the process that launched it, unless said otherwise.
class Launched {
public:
    /// Effects: forks a child that calls run(what). Throws: std::system_error, SharedMemoryExhausted; there is no child then.
    Launched(std::string name, Launch::Run run, void* what) : name_(std::move(name)), page_(Farewell::most) {
        prepare_log();
        const std::lock_guard one_at_a_time{launching_};  // a child without a pidfd inherits no other's pipe
        const pid_t parent = os::this_process();
        const bool in_first_thread = os::in_first_thread();
        if (in_first_thread) { os::outlive_children(); }
        const bool has_pidfds = static_cast<bool>(os::open_pidfd(parent));
        std::optional<os::Pipe> life_line;
        if (!has_pidfds) { life_line.emplace(); }
        os::flush_standard_streams();
        pid_t pid = 0;
        {
            const os::AllSignalsBlocked blocked;
            pid = os::try_fork();
            if (pid == 0) { Launch::live(name_, page_.data(), parent, in_first_thread, run, what); }
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
    [[nodiscard]] int descriptor() const noexcept { return child_.descriptor() >= 0 ? child_.descriptor() : life_line_.number(); }

    /// Effects: gives back what the system keeps of a child that has ended.
    [[nodiscard]] bool has_ended() noexcept {
        const std::lock_guard guard{mutex_};
        if (!ended_ && child_.has_ended()) {
            const std::uint32_t left = farewell().exit_code.load(std::memory_order_acquire);
            // Somebody else may have taken the status: then what the child said last must do.
            const ExitStatus said = left != 0 ? ExitStatus::from_code(static_cast<int>(left - 1)) : ExitStatus{};
            status_ = child_.reap().value_or(said);
            ended_ = true;
            const bool as_asked = was_asked_ && status_.signaled() && (status_.signal() == SIGTERM || status_.signal() == SIGKILL);
            if (status_.signaled() && !as_asked) { worker::report(LogLevel::error, {.pid = child_.pid()}, "process '{}' {}", name_, to_string(status_)); }
        }
        return ended_;
    }

    /// Blocks until it has ended. Returns: false when the deadline came first.
    [[nodiscard]] bool wait(Deadline deadline) noexcept {
        // Without a pidfd it is looked for by its number, which is another's once it is reaped.
        const auto longest = std::chrono::milliseconds{100};
        while (!has_ended()) {
            if (deadline.passed()) { return false; }
            static_cast<void>(child_.wait_for_end(child_.descriptor() >= 0 ? deadline : deadline.or_sooner(Deadline::after(longest))));
        }
        flush_log();
        return true;
    }

    /// Effects: none when it has ended.
    void ask_to_end() noexcept { signal(SIGTERM); }
    void kill() noexcept { signal(SIGKILL); }

    /// Returns: neither exited nor signaled before has_ended().
    [[nodiscard]] ExitStatus status() const noexcept {
        const std::lock_guard guard{mutex_};
        return status_;
    }

    /// Returns: the exception that it ended by; null if it did not, or has not ended.
    [[nodiscard]] std::exception_ptr error() const {
        const std::lock_guard guard{mutex_};
        // What the child has written there counts as far as it can be.
        const std::size_t size = std::min<std::size_t>(farewell().error_size.load(std::memory_order_acquire), Farewell::most - sizeof(Farewell));
        if (!ended_ || size == 0) { return nullptr; }
        Reader in{{page_.data() + sizeof(Farewell), size}};
        return decode_exception(in);
    }

private:
    void signal(int number) noexcept {
        const std::lock_guard guard{mutex_};  // nobody reaps it meanwhile
        if (ended_) { return; }
        was_asked_ = true;
        child_.signal(number);
    }

    [[nodiscard]] Farewell& farewell() const noexcept { return *reinterpret_cast<Farewell*>(page_.data()); }

    static inline constinit os::ProgramLock launching_{};

    const os::Token owner_ = os::process_token();
    std::string name_;
    os::Mapping page_;
    os::Child child_;
    os::Descriptor life_line_;
    mutable std::mutex mutex_;
    bool ended_ = false;
    bool was_asked_ = false;  // to end, by its owner
    ExitStatus status_;
};

}  // namespace procpool::engine
