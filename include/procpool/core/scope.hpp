// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// OnExit, Restore: act at the end of a scope, which an exception may leave too.

#include <utility>

namespace procpool::inline v0::detail::core {

/// Calls a function when it is destroyed: `const OnExit leave{[&] { crew.leave(); }};`
template <class F>
class [[nodiscard]] OnExit {
public:
    explicit OnExit(F function) noexcept : function_(std::move(function)) {}
    OnExit(const OnExit&) = delete;
    OnExit& operator=(const OnExit&) = delete;
    ~OnExit() { function_(); }

private:
    F function_;
};

/// Gives a variable the value it had before: `const Restore kept{errno};` or, with another value until then,
/// `const Restore inside{thread_context, context};`
template <class T>
class [[nodiscard]] Restore {
public:
    explicit Restore(T& variable) : variable_(variable), before_(variable) {}
    Restore(T& variable, T value) : variable_(variable), before_(std::exchange(variable, std::move(value))) {}
    Restore(const Restore&) = delete;
    Restore& operator=(const Restore&) = delete;
    ~Restore() { variable_ = std::move(before_); }

    /// Returns: the value that the variable gets back.
    [[nodiscard]] const T& before() const noexcept { return before_; }

private:
    T& variable_;
    T before_;
};

}  // namespace procpool::detail::core
