// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Setup: what the workers of a pool are told when they are made.

#include <procpool/core/type_name.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <string>
#include <typeinfo>

namespace procpool::inline v0::detail::worker {

struct Setup {
    std::uint32_t workers;
    std::function<void()> initializer;
    std::function<void()> finalizer;
    std::chrono::milliseconds start_timeout;
    std::chrono::milliseconds terminate_grace;
    std::string name;
    bool recycles = false;  ///< workers are replaced after some items, so one more is kept ready
    bool on_first_stack =
        true;  ///< the caller's stack is as large as `ulimit -s` allows, so workers may use their copy of it
};

/// Text for people about the exception being handled. Called by: a catch block.
[[nodiscard]] inline std::string describe_current_exception() {
    try {
        throw;
    } catch (const std::exception& error) { return type_name(typeid(error)) + ": " + error.what(); } catch (...) {
        return "something that is no std::exception";
    }
}

}  // namespace procpool::detail::worker
