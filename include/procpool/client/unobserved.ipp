// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/unobserved.hpp>

#include <procpool/core/ending.hpp>
#include <procpool/core/error.hpp>
#include <procpool/log/report.hpp>
#include <procpool/worker/setup.hpp>

#include <exception>
#include <future>
#include <string>

namespace procpool::inline v0::detail::client {

/// Whether somebody has asked for the error, or the end of the whole pool, which is told once, has brought it; or it
/// says that a call never began, which its caller knows.
[[nodiscard]] PROCPOOL_DECL bool is_expected(const std::exception_ptr& error) {
    try {
        if (error) { std::rethrow_exception(error); }
    } catch (const TaskCancelled&) { return true; } catch (const PoolTerminated&) {
        return true;
    } catch (const PoolBroken&) { return true; } catch (const std::future_error& broken) {
        return broken.code() == std::future_errc::broken_promise;
    } catch (...) {}
    return false;
}

PROCPOOL_DECL void Unobserved::add(const Task& task, const std::exception_ptr& error) noexcept {
    if (is_expected(error)) { return; }
    count_.fetch_add(1, std::memory_order_relaxed);
    if (!log::is_logged(LogLevel::warning)) { return; }
    try {
        std::string text = "there was no memory to keep it";
        try {
            if (error) { std::rethrow_exception(error); }
        } catch (const Error& own) { text = own.what(); } catch (...) {
            text = worker::describe_current_exception();
        }
        log::report(LogLevel::warning, {.task = task.number, .label = task.label, .pool = pool_},
                    "nobody took the error of {}: {}", core::task_name(task.label), text);
    } catch (...) {  // no memory for the words
    }
}

}  // namespace procpool::detail::client
