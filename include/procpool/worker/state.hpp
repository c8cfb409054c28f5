// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// State: the object that an initializer has returned, while its worker lives; this_worker::state().

#include <procpool/core/config.hpp>
#include <procpool/task/thread_context.hpp>

#include <functional>
#include <memory>
#include <type_traits>
#include <typeinfo>

namespace procpool::inline v0 {

namespace detail::worker {

/// The type of the object, of a class and not const, that a smart pointer owns; void for other types.
template <class T>
struct owned_by {
    using type = void;
};
template <class T, class Deleter>
requires(std::is_class_v<T> && !std::is_const_v<T>) struct owned_by<std::unique_ptr<T, Deleter>> {
    using type = T;
};
template <class T>
requires(std::is_class_v<T> && !std::is_const_v<T>) struct owned_by<std::shared_ptr<T>> {
    using type = T;
};

/// The type of the object that an initializer returns for tasks.
struct StateType {
    const std::type_info* type = nullptr;   ///< null: nothing
    const std::type_info* owned = nullptr;  ///< where it is a pointer that owns an object, that object's

    template <class T>
    [[nodiscard]] static StateType of() noexcept {
        using Owned = typename owned_by<T>::type;
        if constexpr (std::is_void_v<Owned>) {
            return {&typeid(T), nullptr};
        } else {
            return {&typeid(T), &typeid(Owned)};
        }
    }
    [[nodiscard]] bool is(const std::type_info& wanted) const noexcept {
        return (type != nullptr && *type == wanted) || (owned != nullptr && *owned == wanted);
    }
};

/// Throws: std::logic_error unless workers have such an object.
void require_state(const StateType& there, const std::type_info& wanted);

/// The object of one worker. Called by: the worker's thread.
class State {
public:
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    virtual ~State() = default;

    /// Returns: the object; null when it is none of that type.
    [[nodiscard]] void* find(const std::type_info& type) const noexcept {
        return type_.type == &type || *type_.type == type ? object_ : nullptr;
    }
    /// Returns: what the object, a pointer, owns at present; null where it owns nothing.
    [[nodiscard]] virtual void* owned() const noexcept { return nullptr; }
    [[nodiscard]] const StateType& type() const noexcept { return type_; }

protected:
    State(StateType type, void* object) noexcept : type_(type), object_(object) {}

private:
    StateType type_;
    void* object_;
};

template <class T>
class StateOf final : public State {
public:
    /// Effects: makes the object of what make() returns, without moving it.
    template <class Make>
    explicit StateOf(Make& make) : State(StateType::of<T>(), std::addressof(value_)),
                                   value_(std::invoke(make)) {}

    [[nodiscard]] void* owned() const noexcept override {
        using Owned = typename owned_by<T>::type;
        if constexpr (std::is_void_v<Owned>) {
            return nullptr;
        } else {
            return value_.get();
        }
    }

private:
    T value_;
};

/// Returns: the calling worker's object of that type. Throws: std::logic_error when it has none.
[[nodiscard]] void* find_state(const std::type_info& type);

}  // namespace detail::worker

namespace this_worker {

/// Returns: the object that the pool's initializer has returned in the caller's worker, or, where that is a
/// std::unique_ptr or std::shared_ptr, what it owns. One call of a worker uses it at a time, unless a task waits for
/// another one that its worker runs meanwhile. Called by: tasks, on the thread that runs them; the finalizer. Throws:
/// std::logic_error where there is none, or of another type than exactly T; it names both.
template <class T>
[[nodiscard]] T& state() {
    static_assert(std::is_class_v<T>, "procpool: an initializer keeps an object of a class for its tasks");
    const detail::worker::State* const here = detail::task::thread_context.state;
    if (here != nullptr) [[likely]] {
        if (void* const object = here->find(typeid(T)); object != nullptr) [[likely]] {
            return *static_cast<T*>(object);
        }
    }
    return *static_cast<T*>(detail::worker::find_state(typeid(T)));
}

}  // namespace this_worker

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/worker/state.ipp>
#endif
