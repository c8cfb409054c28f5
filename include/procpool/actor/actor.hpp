// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Actor: an object in a process of its own, whose functions any process of the program may call.

#include <procpool/actor/actor_base.hpp>
#include <procpool/actor/call.hpp>
#include <procpool/actor/options.hpp>
#include <procpool/actor/ref.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/engine/engine.hpp>

#include <concepts>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

namespace detail::actor {

/// The arguments of a constructor, and the functions that make a T of them. They are used up: each process has its own
/// copy.
template <class T, class... Args>
struct Construction {
    std::tuple<Args...> arguments;

    static void* construct(void* self) {
        return std::apply(
            [](Args&... args) -> void* {
                if constexpr (std::is_constructible_v<T, Args...>) {
                    return new T(std::move(args)...);
                } else {
                    return new T{std::move(args)...};
                }
            },
            static_cast<Construction*>(self)->arguments);
    }
};

template <class T>
void destroy(void* object) noexcept {
    delete static_cast<T*>(object);
}
template <class T>
void save(Writer& out, const void* object) {
    Codec<T>::encode(out, *static_cast<const T*>(object));
}
template <class T>
void* restore(Reader& in) {
    return new T(Codec<T>::decode(in));
}

template <class T, class... Args>
inline constexpr ObjectType object_type = [] {
    ObjectType type{Construction<T, Args...>::construct, destroy<T>, nullptr, nullptr};
    if constexpr (Encodable<T>) {
        type.save = save<T>;
        type.restore = restore<T>;
    }
    return type;
}();

template <class Options, class... Args>
inline constexpr bool begins_with_v = false;
template <class Options, class First, class... Args>
inline constexpr bool begins_with_v<Options, First, Args...> = std::same_as<std::remove_cvref_t<First>, Options>;

template <class T, class... Args>
concept ConstructibleObject = std::constructible_from<T, Args...> || requires(Args&... args) {
    T{std::move(args)...};
};

template <class T, class... Args>
struct not_constructible {
    static_assert(codec::never<T>,
                  "procpool: the actor's object cannot be constructed from these arguments, as T(args...) or "
                  "T{args...}: each is copied or moved, and arrives as an rvalue; pass std::ref(x) for a T that keeps "
                  "a reference, and ActorOptions before all of them");
};

}  // namespace detail::actor

/// Owns a T that lives in a process of its own, or with ThreadEngine in a thread, with InlineEngine in the callers'
/// threads; actor<T>() makes it. Its functions are called by call(), one at a time, and by ref() in other processes.
/// The T may be any class: it is constructed there, never copied, and destroyed there when the actor is stopped; a
/// destructor that throws or crashes ends that process, which the log is told as a warning, but not stop()'s caller.
/// Move-only. Called by: any thread of the process that made it. In a forked child of that process, a worker included,
/// an inherited Actor is inert: its destructor does nothing, its other members throw std::logic_error; use an ActorRef.
template <class T, class E = ForkEngine>
class Actor : public detail::ActorBase, public detail::actor::ActorCalls<Actor<T, E>, T> {
    static_assert(Engine<E>, "procpool: an actor's engine is ForkEngine, ThreadEngine, InlineEngine or AnyEngine");

    static_assert(std::is_object_v<T> && !std::is_const_v<T>, "procpool: an actor owns an object that it may change");

public:
    /// Called by: actor(), and Supervisor, which allows each life.
    template <class... Args>
    Actor(const ActorOptions& options, std::unique_ptr<detail::actor::Construction<T, Args...>> construction,
          bool each_life_allowed = false)
        : detail::ActorBase(E::traits(), options, detail::actor::object_type<T, Args...>, std::move(construction),
                            each_life_allowed) {}
    PROCPOOL_UNCOPIED(Actor, an_actor_is_not_copied__move_it_or_pass_its_ref,
                      "procpool: an Actor is not copied: move it; let tasks and closures have its ref()")
    /// \{
    /// Takes the other actor over, which may only be destroyed or assigned to afterwards. Assignment stops the actor
    /// that was here first.
    Actor(Actor&&) noexcept = default;
    Actor& operator=(Actor&&) noexcept = default;
    /// \}
    /// As stop().
    ~Actor() = default;

    /// Returns: a name of the actor that travels: capture it, pass it.
    [[nodiscard]] ActorRef<T> ref() const { return ActorRef<T>{ref_base()}; }

private:
    friend class detail::actor::ActorCalls<Actor<T, E>, T>;
    using detail::ActorBase::is_newer, detail::ActorBase::submit_call;
};

/// \{
/// Makes an actor: a T constructed from the arguments in a process of its own. These are moved or copied into this
/// process's memory, which that process inherits: they need not travel. Returns: when T's constructor has returned.
/// Throws: what it throws; ActorDied when its process ends first; std::invalid_argument; std::system_error when no
/// process can be had; SharedMemoryExhausted. No process is left then.
template <class T, class E = ForkEngine, class... Args>
requires detail::actor::ConstructibleObject<T, std::decay_t<Args>...>
[[nodiscard]] Actor<T, E> actor(const ActorOptions& options, Args&&... args) {
    using Construction = detail::actor::Construction<T, std::decay_t<Args>...>;
    return Actor<T, E>{options, std::make_unique<Construction>(Construction{{std::forward<Args>(args)...}})};
}
template <class T, class E = ForkEngine, class... Args>
requires(!detail::actor::begins_with_v<ActorOptions, Args...> &&
         detail::actor::ConstructibleObject<T, std::decay_t<Args>...>) [[nodiscard]] Actor<T, E> actor(Args&&... args) {
    return actor<T, E>(ActorOptions{}, std::forward<Args>(args)...);
}
/// \}

/// \{
/// Chosen for arguments that a T cannot be made from; does not compile.
template <class T, class E = ForkEngine, class... Args>
requires(!detail::actor::ConstructibleObject<T, std::decay_t<Args>...>) auto actor(const ActorOptions&, Args&&...) {
    static_cast<void>(sizeof(detail::actor::not_constructible<T, Args...>));
    return detail::codec::this_call_is_refused{};
}
template <class T, class E = ForkEngine, class... Args>
requires(!detail::actor::begins_with_v<ActorOptions, Args...> &&
         !detail::actor::ConstructibleObject<T, std::decay_t<Args>...>) auto actor(Args&&...) {
    static_cast<void>(sizeof(detail::actor::not_constructible<T, Args...>));
    return detail::codec::this_call_is_refused{};
}
/// \}

}  // namespace procpool
