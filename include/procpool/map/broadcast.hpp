// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ProcessPool's broadcast().

#include <procpool/codec/call.hpp>
#include <procpool/core/deadlock.hpp>
#include <procpool/future/future.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/process_pool.hpp>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// Returns: what the futures hold, in their order, when all of them are ready. Throws: the error of the first that
/// holds one.
template <class Result>
auto get_all(std::vector<Future<Result>>& futures) {
    for (const Future<Result>& future : futures) { future.wait(); }
    if constexpr (std::is_void_v<Result>) {
        for (Future<Result>& future : futures) { future.get(); }
    } else {
        std::vector<Result> results;
        results.reserve(futures.size());
        for (Future<Result>& future : futures) { results.push_back(future.get()); }
        return results;
    }
}

struct BroadcastCall {};

}  // namespace detail::map

template <class E>
template <class F, class... Args>
auto ProcessPool<E>::broadcast(F f, Args&&... args) {
    require_task<F, Args...>();
    if constexpr (TaskCall<F, Args...>) {
        using Result = task_result_t<F, Args...>;
        detail::client::Client& to = open_client();
        if constexpr (std::is_function_v<std::remove_pointer_t<F>>) {
            to.check_code(reinterpret_cast<std::uintptr_t>(f));
        }
        if constexpr (is_snapshot_v<F>) {
            check_snapshot(f, [&](const void* address) { return to.is_newer_than_workers(address); });
        }
        if (to.is_in_task()) {
            detail::core::throw_deadlock("procpool: broadcast() in a task of the pool");
        }                                                     // which would have to end first
        const std::lock_guard one_at_a_time{broadcasting()};  // a worker's mail holds one task
        std::vector<Future<Result>> futures;
        futures.reserve(size());
        try {
            for (std::uint32_t index = 0; index < size(); ++index) {
                const detail::client::Submission order{.code = call_code<F, Args...>, .worker = index};
                const auto ticket = to.submit(
                    order, [&](Writer& out) { encode_call<F, std::remove_reference_t<Args>...>(out, f, args...); });
                futures.emplace_back(TaskHandle{to, *ticket});
            }
        } catch (...) {  // the pool was closed meanwhile, or an argument's Codec threw
            for (Future<Result>& future : futures) { future.cancel(); }
            for (const Future<Result>& future : futures) { future.wait(); }
            throw;
        }
        return detail::map::get_all(futures);
    } else {
        return this_call_is_refused{};
    }
}

}  // namespace procpool
