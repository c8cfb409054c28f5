// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Supervisor: restarts actors and processes that have ended, by a strategy.

#include <procpool/actor/actor.hpp>
#include <procpool/actor/strategy.hpp>
#include <procpool/codec/mistake.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/process/process.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::actor {

class Supervision;

/// A supervised process's function and arguments.
template <class F>
concept ProcessFunction = std::copy_constructible<F> && std::is_invocable_v<F&>;

/// Whether these are arguments of Supervisor::add_process().
template <class... Given>
inline constexpr bool are_of_process_v = false;
template <class F>
inline constexpr bool are_of_process_v<F> = ProcessFunction<F>;
template <class F>
inline constexpr bool are_of_process_v<ProcessOptions, F> = ProcessFunction<F>;
template <class F>
inline constexpr bool are_of_process_v<Restart, F> = ProcessFunction<F>;
template <class F>
inline constexpr bool are_of_process_v<Restart, ProcessOptions, F> = ProcessFunction<F>;

}  // namespace detail::actor

/// Keeps a group of actors and processes running, as a supervisor of Erlang does: restarts what has ended, and with it
/// those that its strategy names, until there are more restarts within a period than it may make; then it ends all.
///
///     Supervisor site{{.strategy = Strategy::rest_for_one, .intensity = 3, .period = 5s}};
///     ActorRef<Cache> cache = site.add_actor<Cache>(1000);
///     site.add_process({.name = "poller"}, [cache] { poll_into(cache); });
///     site.wait();
///
/// An actor stays the same in a restart: references to it go on, the call that ran ends in ActorDied, and those that
/// wait are run by the new object. It is constructed, and a process is called, as in the first place: an actor from a
/// copy of this process as it was when the actor was added, a process from one as it is at the restart. A thread of the
/// supervisor's own restarts them; it starts with the first child. Children that are ended for the sake of another, and
/// all when it gives up, end at once: actors by SIGKILL, processes by SIGTERM, and SIGKILL after their terminate_grace.
/// Callers learn of a death when all that are restarted for it have ended: after that no old object answers a call.
/// Move-only. Called by: any thread of the process that made it. In a forked child of that process it is inert: its
/// destructor does nothing, its other members throw std::logic_error.
class Supervisor {
public:
    /// Throws: std::invalid_argument; std::system_error.
    explicit Supervisor(SupervisorOptions options = {});
    /// \{
    /// Takes the children over. Assignment stops those that were here.
    Supervisor(Supervisor&&) noexcept = default;
    Supervisor& operator=(Supervisor&&) noexcept = default;
    /// \}
    /// As stop().
    ~Supervisor() = default;

    /// \{
    /// Adds an actor behind the other children: a T constructed from the arguments, as by actor<T>().
    /// ActorOptions::restarts must be 0: the supervisor has its own. Returns: when T's constructor has returned.
    /// Throws: as actor(); PoolClosed after stop(); what wait() throws.
    template <class T, class... Args>
    ActorRef<T> add_actor(Restart restart, const ActorOptions& options, Args&&... args) {
        if constexpr (detail::actor::ConstructibleObject<T, std::decay_t<Args>...>) {
            using Construction = detail::actor::Construction<T, std::decay_t<Args>...>;
            check_child(options);
            auto added = std::make_shared<Actor<T>>(
                options, std::make_unique<Construction>(Construction{{std::forward<Args>(args)...}}), true);
            ActorRef<T> ref = added->ref();
            add(restart, options, std::move(added));
            return ref;
        } else {
            static_cast<void>(sizeof(detail::actor::not_constructible<T, Args...>));
            return {};
        }
    }
    template <class T, class... Args>
    ActorRef<T> add_actor(const ActorOptions& options, Args&&... args) {
        return add_actor<T>(Restart::permanent, options, std::forward<Args>(args)...);
    }
    template <class T, class... Args>
    requires(!detail::actor::begins_with_v<ActorOptions, Args...> &&
             !detail::actor::begins_with_v<Restart, Args...>) ActorRef<T> add_actor(Args&&... args) {
        return add_actor<T>(Restart::permanent, ActorOptions{}, std::forward<Args>(args)...);
    }
    /// \}

    /// \{
    /// Adds a process behind the other children: a copy of this one that calls f(), as Process does. f may be called
    /// again for each restart. Throws: as Process's constructor; PoolClosed after stop(); what wait() throws.
    template <detail::actor::ProcessFunction F>
    void add_process(Restart restart, const ProcessOptions& options, F f) {
        add(restart, options, [options, f = std::move(f)]() mutable { return Process{options, f}; });
    }
    template <detail::actor::ProcessFunction F>
    void add_process(const ProcessOptions& options, F f) {
        add_process(Restart::permanent, options, std::move(f));
    }
    template <detail::actor::ProcessFunction F>
    void add_process(Restart restart, F f) {
        add_process(restart, ProcessOptions{}, std::move(f));
    }
    template <detail::actor::ProcessFunction F>
    void add_process(F f) {
        add_process(Restart::permanent, ProcessOptions{}, std::move(f));
    }
    /// \}
    /// Chosen for other arguments; does not compile.
    template <class... Given>
    requires(!detail::actor::are_of_process_v<std::decay_t<Given>...>) auto add_process(Given&&...) {
        static_assert(detail::codec::never<Given...>,
                      "procpool: add_process() takes a Restart and ProcessOptions, in this order, where they are "
                      "needed, and last a function: it is called without arguments and copied for each restart, so "
                      "let a lambda capture what it needs, what cannot be copied by a std::shared_ptr");
        return detail::codec::this_call_is_refused{};
    }

    /// Ends the children in reverse order: actors as by Actor::stop(), processes by SIGTERM, and SIGKILL after their
    /// terminate_grace. None is restarted from now on, but a restart that has begun is waited for: its constructor may
    /// take its start_timeout. Calling it again does nothing.
    void stop();

    /// Blocks until no child runs any more. Throws: RestartsExhausted when it has given up, or what a restart threw,
    /// such as std::system_error, or PoolBroken when the process was killed that restarts an actor's.
    void wait() { static_cast<void>(wait_until(detail::Deadline::never())); }
    /// As wait(), for a time, which has a unit: 5s. Returns: false when children still run.
    template <class Duration>
    [[nodiscard]] bool wait_for(const Duration& timeout) {
        return wait_until(detail::core::after(timeout));
    }

    /// Returns: the children, in the order in which they were added.
    [[nodiscard]] std::vector<ChildInfo> children() const;

private:
    struct Delete {
        void operator()(detail::actor::Supervision* supervision) const noexcept;
    };
    [[nodiscard]] detail::actor::Supervision& get() const;
    void check_child(const ActorOptions& options) const;
    void add(Restart restart, const ActorOptions& options, std::shared_ptr<detail::ActorBase> actor);
    void add(Restart restart, const ProcessOptions& options, std::function<Process()> launch);
    [[nodiscard]] bool wait_until(detail::Deadline deadline);

    std::unique_ptr<detail::actor::Supervision, Delete> supervision_;
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/actor/supervisor.ipp>
#endif
