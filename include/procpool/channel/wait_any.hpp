// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// wait_any() of many connections: sleeps until one of them has something to receive.

#include <procpool/channel/connection.hpp>
#include <procpool/channel/pipe_end.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/shm/shared.hpp>

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <ranges>
#include <span>
#include <vector>

namespace procpool::inline v0 {

/// An end of a pipe of any type, among those that wait_any() is given.
class AnyConnection {
public:
    /// \{
    /// Refers to the end.
    template <class T>
    AnyConnection(Connection<T>& end) noexcept : end_(&detail::channel::EndOf::in(end)) {}
    template <class T>
    AnyConnection(Connection<T>* end) noexcept : AnyConnection(*end) {}
    template <class T>
    AnyConnection(const Shared<Connection<T>>& end) noexcept : AnyConnection(*end) {}
    /// \}

private:
    friend struct detail::channel::EndOf;
    detail::channel::PipeEnd* end_;
};

namespace detail::channel {

/// Effects: uses the ends and sleeps until recv() of one would return or throw at once.
/// Returns: the positions of all such ends; none when the deadline came first. Throws: std::invalid_argument when there
/// are no ends; std::logic_error when the pipe of one is destroyed.
[[nodiscard]] std::vector<std::size_t> wait_for_ends(std::span<PipeEnd* const> ends, Deadline deadline);

template <class Range>
[[nodiscard]] std::vector<PipeEnd*> ends_in(Range&& connections) {
    std::vector<PipeEnd*> ends;
    for (auto&& connection : connections) { ends.push_back(EndOf::of(AnyConnection{connection})); }
    return ends;
}

/// Ranges of connections, of pointers to them, or of Shared ones.
template <class Range>
concept ConnectionRange =
    std::ranges::input_range<Range> && std::constructible_from<AnyConnection, std::ranges::range_reference_t<Range>>;

}  // namespace detail::channel

/// \{
/// Sleeps until one of the connections has something to receive, by a message or the end of file, or for a time; any
/// number of them, and of threads that do so or receive from the same ends meanwhile. Takes nothing.
/// Returns: the positions of all that have, in order; none when the time was over first. Up to 64 connections wake it
/// at once; with more, or on kernels older than 5.16, it looks from time to time. Throws: std::invalid_argument when
/// there are none.
template <detail::channel::ConnectionRange Range>
[[nodiscard]] std::vector<std::size_t> wait_any(Range&& connections) {
    return detail::channel::wait_for_ends(detail::channel::ends_in(connections), detail::Deadline::never());
}
template <detail::channel::ConnectionRange Range, class Duration>
[[nodiscard]] std::vector<std::size_t> wait_any_for(Range&& connections, const Duration& timeout) {
    return detail::channel::wait_for_ends(detail::channel::ends_in(connections), detail::core::after(timeout));
}
template <detail::channel::ConnectionRange Range, class TimePoint>
[[nodiscard]] std::vector<std::size_t> wait_any_until(Range&& connections, const TimePoint& when) {
    const std::vector<detail::channel::PipeEnd*> ends = detail::channel::ends_in(connections);
    std::vector<std::size_t> ready;
    static_cast<void>(detail::core::until(when, [&](detail::Deadline deadline) {
        ready = detail::channel::wait_for_ends(ends, deadline);
        return !ready.empty();
    }));
    return ready;
}
[[nodiscard]] inline std::vector<std::size_t> wait_any(std::initializer_list<AnyConnection> connections) {
    return wait_any<const std::initializer_list<AnyConnection>&>(connections);
}
template <class Duration>
[[nodiscard]] std::vector<std::size_t> wait_any_for(std::initializer_list<AnyConnection> connections,
                                                    const Duration& timeout) {
    return wait_any_for<const std::initializer_list<AnyConnection>&>(connections, timeout);
}
template <class TimePoint>
[[nodiscard]] std::vector<std::size_t> wait_any_until(std::initializer_list<AnyConnection> connections,
                                                      const TimePoint& when) {
    return wait_any_until<const std::initializer_list<AnyConnection>&>(connections, when);
}
/// \}

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/channel/wait_any.ipp>
#endif
