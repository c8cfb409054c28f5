// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/log/log.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/log/report.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/children.hpp>
#include <procpool/os/exit_hook.hpp>
#include <procpool/os/first_thread.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/os/region_file.hpp>
#include <procpool/os/signals.hpp>
#include <procpool/os/streams.hpp>
#include <procpool/os/thread_locals.hpp>
#include <procpool/process/child_process.hpp>
#include <procpool/task/thread_context.hpp>
#include <procpool/worker/setup.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <span>
#include <thread>

namespace procpool::inline v0::detail::process {

[[noreturn]] PROCPOOL_DECL void ChildMain::live(Start& start) noexcept {
    os::reset_all_signals();
    self_ = os::this_process();
    record_ = reinterpret_cast<ExitRecord*>(start.page);
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
    task::thread_context = {};  // also in a task: its child is no worker
    os::unblock_all_signals();
    int code = EXIT_FAILURE;
    try {
        kill_when_gone(std::move(watch));
        code = start.run(start.what);
    } catch (...) { report(start.name, std::current_exception()); }
    std::exit(code);
}

PROCPOOL_DECL void ChildMain::leave_on_exit(int status, bool quick) noexcept {
    if (os::this_process() == self_) {
        record_->exit_code.store((static_cast<std::uint32_t>(status) & 0xff) + 1, std::memory_order_release);
    }
    if (!quick) { os::flush_standard_streams(); }
    os::leave(status);
}

PROCPOOL_DECL void ChildMain::report(const std::string& name, const std::exception_ptr& thrown) noexcept {
    // Null: pthread_exit(), which unwinds the thread and must not come further; or a child of the child that came
    // out of the function here.
    if (!thrown || os::this_process() != self_) { std::exit(thrown ? EXIT_FAILURE : EXIT_SUCCESS); }
    procpool::log(LogLevel::error, "process '{}' ended by an exception that nobody caught: {}", name,
                  worker::describe_current_exception());
    constexpr auto no_more_room = [](void*, std::span<std::byte>, std::size_t, std::size_t) -> std::span<std::byte> {
        throw CodecError("procpool: there is no room for so long an exception");
    };
    try {
        Writer out{
            {reinterpret_cast<std::byte*>(record_ + 1), ExitRecord::most - sizeof(ExitRecord)}, no_more_room, nullptr};
        codec::encode_exception(out, thrown);
        record_->error_size.store(static_cast<std::uint32_t>(out.size()), std::memory_order_release);
    } catch (...) {  // the exit code says that there was one
    }
}

PROCPOOL_DECL void ChildMain::stay_with_parent(const os::LifeLine::Watch& watch) noexcept {
    os::SignalsAtEnd::ask(watch.pipe(), SIGCONT);
    watch_ = &watch;
    os::reset_signal(SIGIO, [](int) {
        if (watch_->has_let_go()) { os::signal_child(os::this_process(), SIGKILL); }
    });
    os::SignalsAtEnd::ask(watch.pipe(), SIGIO, os::Exec::keeps_it);
}

PROCPOOL_DECL void ChildMain::kill_when_gone(os::LifeLine::Watch watch) {
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

PROCPOOL_DECL ChildProcess::ChildProcess(std::string name, ChildMain::Run run, void* what)
    : name_(std::move(name)),
      page_(ExitRecord::most) {
    log::prepare_log();
    os::ThreadLocals::prepare();
    const std::lock_guard one_at_a_time{os::forking};
    line_ = os::LifeLine::lease();
    const pid_t parent = os::this_process();
    ChildMain::Start start{name_, page_.data(), parent, os::in_first_thread(), os::open_pidfd(parent), run, what};
    if (start.in_first_thread) { os::outlive_children(); }
    std::optional<os::Pipe> life_line;
    if (!start.alive) { life_line.emplace(); }
    os::flush_standard_streams();
    pid_t pid = 0;
    {
        const os::AllSignalsBlocked blocked;
        pid = os::try_fork();
        if (pid == 0) {
            os::RegionFile::close_inherited(nullptr);
            ChildMain::live(start);
        }
    }
    if (pid < 0) { os::throw_error(errno, "fork"); }
    child_ = os::Child{pid};
    if (life_line) { life_line_ = std::move(life_line->reading); }
}

PROCPOOL_DECL int ChildProcess::descriptor() const noexcept {
    return child_.descriptor() >= 0 ? child_.descriptor() : life_line_.number();
}

PROCPOOL_DECL bool ChildProcess::has_ended() noexcept {
    const std::lock_guard guard{mutex_};
    if (!ended_ && child_.has_ended()) {
        const std::uint32_t left = record().exit_code.load(std::memory_order_acquire);
        // Another part of the program may have taken the status: then the child's last message counts.
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

PROCPOOL_DECL bool ChildProcess::wait(Deadline deadline) noexcept {
    // Without a pidfd it is looked for by its number, which is another's once it is reaped.
    const auto longest = std::chrono::milliseconds{100};
    while (!has_ended()) {
        if (deadline.passed()) { return false; }
        static_cast<void>(
            child_.wait_for_end(child_.descriptor() >= 0 ? deadline : deadline.or_sooner(Deadline::after(longest))));
    }
    log::settle_log();
    return true;
}

PROCPOOL_DECL void ChildProcess::require(bool sent) {
    if (!sent) { os::throw_error(EPERM, "kill"); }
}

PROCPOOL_DECL void ChildProcess::report_survival() const noexcept {
    log::report(LogLevel::error, {.pid = child_.pid()}, "process '{}' could not be killed and goes on", name_);
}

PROCPOOL_DECL ExitStatus ChildProcess::status() const noexcept {
    const std::lock_guard guard{mutex_};
    return status_;
}

PROCPOOL_DECL std::exception_ptr ChildProcess::error() const {
    const std::lock_guard guard{mutex_};
    // The child may have written any size; the part that fits the page counts.
    const std::size_t size = std::min<std::size_t>(record().error_size.load(std::memory_order_acquire),
                                                   ExitRecord::most - sizeof(ExitRecord));
    if (!ended_ || size == 0) { return nullptr; }
    Reader in{{page_.data() + sizeof(ExitRecord), size}};
    return codec::decode_exception(in);
}

PROCPOOL_DECL bool ChildProcess::signal(int number) noexcept {
    const std::lock_guard guard{mutex_};  // no other thread reaps it meanwhile
    if (ended_) { return true; }
    const bool sent = child_.signal(number);
    was_asked_ = was_asked_ || sent;
    return sent;
}

}  // namespace procpool::detail::process
