// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Connection: one end of a pipe between two processes. pipe() makes both.

#include <procpool/channel/item.hpp>
#include <procpool/channel/pipe_end.hpp>
#include <procpool/codec/address.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/core/given.hpp>
#include <procpool/core/timed.hpp>
#include <procpool/os/process_start.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/shm/shared.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stdexcept>
#include <typeinfo>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::channel {

/// The part that the ends of all pipes have in common.
class ConnectionBase {
public:
    explicit ConnectionBase(PipeEnd end) noexcept : end_(std::move(end)) {}

    /// Binds the end to the calling thread: when that ends, or its process dies, the other end has come to the end of
    /// file. Without it, the first thread that uses the end has it, and until then the maker of the pipe. May be called
    /// again, by another.
    void bind() { end_.bind(); }
    /// Gives the end to a process, a Process or an Actor, say: its death is the end of file for the other end, also
    /// when it dies before it has used the end, which those that wait see within 100 ms then. The first of its threads
    /// that uses the end binds it. Called by: the one that started the process. A Process is given the ends that are
    /// among its arguments (by pointer, std::ref or Shared), which is as if it had called bind() itself before
    /// anything else; a task that gets one so uses it first. A closure's captures tell nobody: use this function.
    template <class Process>
    requires requires(const Process& process) {
        { process.pid() } -> std::convertible_to<std::int32_t>;
        { process.is_alive() } -> std::convertible_to<bool>;
    }
    void bind(const Process& process) {
        // It lives after that: so the number has been its own.
        const std::uint64_t start = os::start_of_process(process.pid());
        end_.give(process.pid(), process.is_alive() ? start : 0, false);
    }
    /// Ends the connection: the other end gets what has been sent, and EndOfFile then, or BrokenPipe. Twice is
    /// harmless.
    void close() noexcept { end_.close(); }

    /// Whether recv() would return or throw at once, by a message or the end of file; waits for that as long as it
    /// says. Takes nothing.
    [[nodiscard]] bool poll() const { return end_.poll(Deadline::immediately()); }
    /// \{
    /// As above.
    template <class Duration>
    [[nodiscard]] bool poll(const Duration& timeout) const {
        return end_.poll(core::after(timeout));
    }
    template <class Duration>
    [[nodiscard]] bool poll_for(const Duration& timeout) const {
        return end_.poll(core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] bool poll_until(const TimePoint& when) const {
        return core::until(when, [&](Deadline deadline) { return end_.poll(deadline); });
    }
    /// \}

protected:
    friend struct EndOf;
    PipeEnd end_;  ///< its queues
};

/// The library's side of a connection's end.
struct EndOf {
    [[nodiscard]] static PipeEnd& in(ConnectionBase& connection) noexcept { return connection.end_; }
    template <class Any>
    [[nodiscard]] static PipeEnd* of(const Any& connection) noexcept {
        return connection.end_;
    }
};

}  // namespace detail::channel

/// One end of a pipe, through which values go to the other end and come from there, in order; any thread of any process
/// of the program may use it, by its address. Each direction holds as many messages as pipe() was told.
template <class T>
class Connection : public detail::channel::ConnectionBase {
public:
    /// Called by: pipe().
    explicit Connection(detail::channel::PipeEnd end) noexcept : ConnectionBase(std::move(end)) {
        detail::channel::require_item<T>();
    }

    /// \{
    /// Sends a copy of the value, and waits while there is no room: try_send() not at all, send_for() and send_until()
    /// for a time. Returns: false when there was no room in time. Throws: BrokenPipe when the other end is closed or
    /// its thread has ended; the exceptions of the value's Codec, CodecError; std::length_error when it is too large.
    void send(const T& value) { static_cast<void>(send_by(value, detail::Deadline::never())); }
    [[nodiscard]] bool try_send(const T& value) { return send_by(value, detail::Deadline::immediately()); }
    template <class Duration>
    [[nodiscard]] bool send_for(const T& value, const Duration& timeout) {
        return send_by(value, detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] bool send_until(const T& value, const TimePoint& when) {
        return detail::core::until(when, [&](detail::Deadline deadline) { return send_by(value, deadline); });
    }
    /// \}
    /// \{
    /// Takes the oldest message, and waits while there is none: try_recv() not at all, recv_for() and recv_until() for
    /// a time. Returns: nothing when there was none in time. Throws: EndOfFile when there is none and the other end is
    /// closed or its thread has ended; the exceptions of the message's Codec, with which it is gone.
    [[nodiscard]] T recv() { return std::move(*recv_by(detail::Deadline::never())); }
    [[nodiscard]] std::optional<T> try_recv() { return recv_by(detail::Deadline::immediately()); }
    template <class Duration>
    [[nodiscard]] std::optional<T> recv_for(const Duration& timeout) {
        return recv_by(detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] std::optional<T> recv_until(const TimePoint& when) {
        return detail::core::until(when, [&](detail::Deadline deadline) { return recv_by(deadline); });
    }
    /// \}

private:
    bool send_by(const T& value, detail::Deadline deadline) {
        return detail::channel::put_encoded(
            value, end_.visibility(), [&](std::span<const std::byte> message) { return end_.send(message, deadline); });
    }
    std::optional<T> recv_by(detail::Deadline deadline) {
        return detail::channel::get_decoded<T, std::optional<T>>(
            end_.visibility(), [&](auto room) { return end_.receive(room, deadline); }, [] { return std::nullopt; });
    }
};

/// An end of a pipe of messages, which are bytes.
template <>
class Connection<std::span<std::byte>> : public detail::channel::ConnectionBase {
public:
    /// Called by: pipe().
    explicit Connection(detail::channel::PipeEnd end) noexcept : ConnectionBase(std::move(end)) {}

    /// \{
    /// As those of other connections; a message may be empty.
    void send(std::span<const std::byte> message) { static_cast<void>(end_.send(message, detail::Deadline::never())); }
    [[nodiscard]] bool try_send(std::span<const std::byte> message) {
        return end_.send(message, detail::Deadline::immediately());
    }
    template <class Duration>
    [[nodiscard]] bool send_for(std::span<const std::byte> message, const Duration& timeout) {
        return end_.send(message, detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] bool send_until(std::span<const std::byte> message, const TimePoint& when) {
        return detail::core::until(when, [&](detail::Deadline deadline) { return end_.send(message, deadline); });
    }
    [[nodiscard]] std::vector<std::byte> recv() { return std::move(*recv_by(detail::Deadline::never())); }
    [[nodiscard]] std::optional<std::vector<std::byte>> try_recv() { return recv_by(detail::Deadline::immediately()); }
    template <class Duration>
    [[nodiscard]] std::optional<std::vector<std::byte>> recv_for(const Duration& timeout) {
        return recv_by(detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] std::optional<std::vector<std::byte>> recv_until(const TimePoint& when) {
        return detail::core::until(when, [&](detail::Deadline deadline) { return recv_by(deadline); });
    }
    /// \}
    /// \{
    /// Waits for a message, the timed ones for a time, and copies it to the start of `to`. Returns: its size; nothing
    /// when there was none in time. Throws: std::length_error when it is longer than `to`; it is not taken then.
    /// EndOfFile.
    [[nodiscard]] std::size_t recv_into(std::span<std::byte> to) {
        return *recv_into_by(to, detail::Deadline::never());
    }
    template <class Duration>
    [[nodiscard]] std::optional<std::size_t> recv_into_for(std::span<std::byte> to, const Duration& timeout) {
        return recv_into_by(to, detail::core::after(timeout));
    }
    template <class TimePoint>
    [[nodiscard]] std::optional<std::size_t> recv_into_until(std::span<std::byte> to, const TimePoint& when) {
        return detail::core::until(when, [&](detail::Deadline deadline) { return recv_into_by(to, deadline); });
    }
    /// \}

private:
    std::optional<std::size_t> recv_into_by(std::span<std::byte> to, detail::Deadline deadline) {
        std::optional<std::size_t> size{0};
        const auto room = [&](std::size_t needed) {
            if (needed > to.size()) {
                throw std::length_error("procpool: the message is longer than the memory for it; it is kept");
            }
            size = needed;
            return to.first(needed);
        };
        if (!end_.receive(room, deadline)) { size.reset(); }
        return size;
    }
    std::optional<std::vector<std::byte>> recv_by(detail::Deadline deadline) {
        std::optional<std::vector<std::byte>> message{std::in_place};
        const auto room = [&](std::size_t size) {
            message->resize(size);
            return std::span<std::byte>{*message};
        };
        if (!end_.receive(room, deadline)) { message.reset(); }
        return message;
    }
};

/// All that a connection refers to is shared.
template <class T>
inline constexpr bool enable_shared<Connection<T>> = true;

/// Makes a pipe of Ts. Each direction has the size that the options say. Returns: its two ends, in shared memory: give
/// their addresses (get()) to the processes that use them. Throws: std::invalid_argument, SharedMemoryExhausted.
template <class T>
[[nodiscard]] std::pair<Shared<Connection<T>>, Shared<Connection<T>>> pipe(const QueueOptions& options) {
    auto ends = detail::channel::PipeEnd::make_pipe(options);
    return {Shared<Connection<T>>{std::move(ends.first)}, Shared<Connection<T>>{std::move(ends.second)}};
}
/// As above, for so many messages each way.
template <class T, std::integral Integer = std::size_t>
[[nodiscard]] std::pair<Shared<Connection<T>>, Shared<Connection<T>>> pipe(Integer capacity = 64) {
    return pipe<T>(QueueOptions{detail::channel::capacity_of(capacity), 0});
}

/// A Process that gets an end as an argument has bound it before its function runs.
template <class T>
struct detail::core::Given<Connection<T>> {
    static void give(Connection<T>& end, std::int32_t pid, std::uint64_t start) {
        channel::EndOf::in(end).give(pid, start, true);
    }
    static void take(Connection<T>& end) {
        reach(FaultPoint::end_given);
        end.bind();
    }
};

/// \{
/// Addresses of ends travel as others do; that one arrives is its first use there.
template <class T>
struct detail::codec::BuiltInCodec<Connection<T>*, detail::codec::StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, Connection<T>* const& end) { encode_address(out, end, typeid(Connection<T>*)); }
    static Connection<T>* decode(Reader& in) {
        auto* const end = decode_address<Connection<T>>(in, 1);
        if (end != nullptr) { channel::EndOf::in(*end).use(); }
        return end;
    }
};
template <class T>
struct detail::codec::BuiltInCodec<std::reference_wrapper<Connection<T>>, detail::codec::StandardKind::other> {
    using parts = TypeList<>;

    static void encode(Writer& out, const std::reference_wrapper<Connection<T>>& end) {
        encode_address(out, &end.get(), typeid(std::reference_wrapper<Connection<T>>));
    }
    static std::reference_wrapper<Connection<T>> decode(Reader& in) {
        auto* const end = BuiltInCodec<Connection<T>*, StandardKind::other>::decode(in);
        if (end == nullptr) { refuse_null_reference(); }
        return *end;
    }
};
/// \}

}  // namespace procpool
