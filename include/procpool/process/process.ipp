// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/process/child_process.hpp>
#include <procpool/process/process.hpp>

#include <stdexcept>
#include <utility>

namespace procpool::inline v0 {

PROCPOOL_DECL Process& Process::operator=(Process&& other) noexcept {
    if (this == &other) { return *this; }
    end();
    child_process_ = std::move(other.child_process_);
    grace_ = other.grace_;
    return *this;
}

PROCPOOL_DECL Process::~Process() { end(); }

PROCPOOL_DECL void Process::join() { static_cast<void>(join_until(detail::Deadline::never())); }
PROCPOOL_DECL void Process::terminate() { detail::process::ChildProcess::require(get().ask_to_end()); }
PROCPOOL_DECL void Process::kill() { detail::process::ChildProcess::require(get().kill()); }

PROCPOOL_DECL bool Process::is_alive() const { return !get().has_ended(); }
PROCPOOL_DECL std::int32_t Process::pid() const { return get().pid(); }
PROCPOOL_DECL const std::string& Process::name() const { return get().name(); }
PROCPOOL_DECL ExitStatus Process::exit_status() const {
    static_cast<void>(get().has_ended());
    return get().status();
}
PROCPOOL_DECL std::exception_ptr Process::error() const {
    static_cast<void>(get().has_ended());
    return get().error();
}
PROCPOOL_DECL int Process::native_handle() const { return get().descriptor(); }

PROCPOOL_DECL void Process::Delete::operator()(detail::process::ChildProcess* child) const noexcept { delete child; }

PROCPOOL_DECL void Process::start(std::string name, int (*run)(void*), void* what) {
    if (grace_.count() < 0) {
        throw std::invalid_argument("procpool: ProcessOptions::terminate_grace must not be negative");
    }
    child_process_.reset(new detail::process::ChildProcess{std::move(name), run, what});
}

PROCPOOL_DECL bool Process::join_until(detail::Deadline deadline) { return get().wait(deadline); }

PROCPOOL_DECL detail::process::ChildProcess& Process::get() const {
    if (!child_process_) { throw std::logic_error("procpool: no process"); }
    if (!child_process_->is_mine()) { throw std::logic_error("procpool: this process was launched by another one"); }
    return *child_process_;
}

PROCPOOL_DECL void Process::end() noexcept {
    if (!child_process_) { return; }
    if (!child_process_->is_mine()) {
        static_cast<void>(child_process_.release());  // its mutex may be held by a thread that is not here
        return;
    }
    if (!child_process_->has_ended()) {
        static_cast<void>(child_process_->ask_to_end());
        if (!child_process_->wait(detail::Deadline::after(grace_)) && !child_process_->kill()) {
            child_process_->report_survival();
            static_cast<void>(child_process_.release());  // it has its place in the program's line
            return;
        }
    }
    static_cast<void>(child_process_->wait(detail::Deadline::never()));  // delivers what it has logged, too
    child_process_.reset();
}

}  // namespace procpool
