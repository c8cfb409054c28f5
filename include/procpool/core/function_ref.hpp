// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// FunctionRef: a reference to something callable, so that code which takes it need not be a template.

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::core {

template <class Signature>
class FunctionRef;

/// For parameters: the callee must outlive the call that gets the reference.
template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
public:
    template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, FunctionRef>) FunctionRef(F&& callee)
    noexcept
        : callee_(const_cast<void*>(static_cast<const void*>(std::addressof(callee)))),
          call_([](void* to, Args... args) -> Result {
              return (*static_cast<std::remove_reference_t<F>*>(to))(std::forward<Args>(args)...);
          }) {}

    Result operator()(Args... args) const { return call_(callee_, std::forward<Args>(args)...); }

private:
    void* callee_;
    Result (*call_)(void*, Args...);
};

}  // namespace procpool::detail::core
