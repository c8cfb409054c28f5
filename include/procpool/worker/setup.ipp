// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/type_name.hpp>
#include <procpool/log/log.hpp>
#include <procpool/worker/setup.hpp>

#include <exception>
#include <typeinfo>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL std::string describe_current_exception() {
    try {
        throw;
    } catch (const std::exception& error) { return type_name(typeid(error)) + ": " + error.what(); } catch (...) {
        return "something that is no std::exception";
    }
}

PROCPOOL_DECL void finalize(const Setup& setup, std::uint32_t index, std::unique_ptr<State> state) noexcept {
    if (setup.finalizer) {
        try {
            setup.finalizer();
        } catch (...) {
            procpool::log(LogLevel::warning, "the finalizer of worker {} threw {}", index,
                          describe_current_exception());
        }
    }
    task::thread_context.state = nullptr;
    state.reset();
}

}  // namespace procpool::detail::worker
