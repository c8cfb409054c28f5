// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Answer: a coroutine of a test.

#include "support/events.hpp"

#include <coroutine>
#include <exception>
#include <future>
#include <stdexcept>
#include <utility>

namespace procpool_test {

/// A coroutine that starts at once and gives its result to a std::future.
template <class T>
struct Answer {
    struct promise_type {
        std::promise<T> promise;
        Answer get_return_object() { return {promise.get_future()}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_value(T value) { promise.set_value(std::move(value)); }
        void unhandled_exception() { promise.set_exception(std::current_exception()); }
    };
    std::future<T> result;
    T get() {
        if (result.wait_for(wait_limit) != std::future_status::ready) {
            throw std::runtime_error("a coroutine was not resumed");
        }
        return result.get();
    }
};

}  // namespace procpool_test
