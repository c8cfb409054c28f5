// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Initializer: what each worker of a pool runs before its first task, and whether it keeps an object for them.

#include <procpool/core/config.hpp>
#include <procpool/worker/state.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// A function without arguments, or none. An object of a class that it returns is kept in the worker, for tasks that
/// are made by with_state(); anything else that it returns is dropped. Holds any callable, as std::function<void()>
/// does, and those that can only be moved, which its copies share.
class Initializer {
public:
    /// \{
    /// None.
    Initializer() noexcept = default;
    Initializer(std::nullptr_t) noexcept {}
    /// \}
    /// Holds f. Throws: any exception of copying or moving f. An f that is a null pointer or an empty std::function is
    /// none.
    template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, Initializer> && std::invocable<std::decay_t<F>&> &&
             std::constructible_from<std::decay_t<F>, F>) Initializer(F&& f) {
        using Function = std::decay_t<F>;
        if (is_none<Function>(f)) { return; }
        if constexpr (std::copy_constructible<Function>) {
            make_ = [f = Function(std::forward<F>(f))]() mutable { return run<Function>(f); };
        } else {
            make_ = [f = std::make_shared<Function>(std::forward<F>(f))] { return run<Function>(*f); };
        }
        if constexpr (is_kept<Function>) { type_ = detail::worker::StateType::of<Kept<Function>>(); }
    }

    /// Whether there is a function.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(make_); }
    /// Runs it; what it returns is dropped. Throws: any exception of the function; std::bad_function_call where there
    /// is none.
    void operator()() const { static_cast<void>(make_()); }

    /// Runs it. Returns: the object that it returned, if that is kept. Throws: likewise.
    [[nodiscard]] std::unique_ptr<detail::worker::State> make_state() const { return make_(); }
    /// The type of the object that is kept.
    [[nodiscard]] const detail::worker::StateType& state_type() const noexcept { return type_; }

private:
    template <class F>
    using Kept = std::remove_cv_t<std::invoke_result_t<F&>>;
    template <class F>
    static constexpr bool is_kept = std::is_class_v<std::invoke_result_t<F&>>;

    template <class F>
    static bool is_none([[maybe_unused]] const F& f) noexcept {
        if constexpr (std::is_pointer_v<F> || (std::is_constructible_v<F, std::nullptr_t> && requires {
                          { f == nullptr } -> std::convertible_to<bool>;
                      })) {
            return f == nullptr;
        } else {
            return false;
        }
    }
    template <class F>
    static std::unique_ptr<detail::worker::State> run(F& f) {
        if constexpr (is_kept<F>) {
            return std::make_unique<detail::worker::StateOf<Kept<F>>>(f);
        } else {
            static_cast<void>(std::invoke(f));
            return nullptr;
        }
    }

    std::function<std::unique_ptr<detail::worker::State>()> make_;
    detail::worker::StateType type_;
};

}  // namespace procpool
