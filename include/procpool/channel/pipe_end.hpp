// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PipeEnd: one end of two byte queues, which knows whether the thread at the other end lives.

#include <procpool/channel/byte_queue.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::channel {

/// The state of a pipe, in shared memory; freed with the last of its ends.
struct Pipe;

/// An end belongs to the first thread that uses it, or to the one that calls bind(), or to the process that it is given
/// to; until then to the maker of the pipe. A use by another thread when that is dead binds it anew.
/// Called by: any thread of any process, but for the constructor and the destructor: the process that made the pipe.
class PipeEnd {
public:
    using Result = ByteQueue::Result;

    /// Returns: the ends of a new pipe. Throws: as ByteQueue's constructor.
    [[nodiscard]] static std::pair<PipeEnd, PipeEnd> make_pipe(const QueueOptions& options);

    PipeEnd(PipeEnd&& other) noexcept : pipe_(std::exchange(other.pipe_, nullptr)), side_(other.side_) {}
    PipeEnd& operator=(PipeEnd&&) = delete;
    /// Effects: close().
    ~PipeEnd();

    /// Effects: as ByteQueue::put(). Returns: whether it was done in time. Throws: BrokenPipe; as put().
    [[nodiscard]] bool send(std::span<const std::byte> message, Deadline deadline);
    /// Effects: as ByteQueue::get(). Returns: whether it was done in time. Throws: EndOfFile; as get().
    [[nodiscard]] bool receive(ByteQueue::Room room, Deadline deadline);
    /// Effects: waits until receive() would not. Returns: false when the deadline came first.
    [[nodiscard]] bool poll(Deadline deadline) const;
    void bind();
    /// See Binder.
    void use() const;
    void give(std::int32_t pid, std::uint64_t start, bool only_own) noexcept;
    void close() noexcept;
    /// See ByteQueue.
    [[nodiscard]] bool is_ready() const;
    [[nodiscard]] bool peer_is_given() const noexcept;
    [[nodiscard]] bool watch(std::vector<os::FutexLook>& words) const;

    /// See ByteQueue.
    [[nodiscard]] codec::VisibilityOf visibility() const noexcept;

private:
    PipeEnd(Pipe* pipe, unsigned side) noexcept : pipe_(pipe), side_(side) {}
    /// Returns: why nothing goes through the pipe any more.
    [[nodiscard]] std::string reason() const;

    Pipe* pipe_;
    unsigned side_;
};

}  // namespace procpool::detail::channel

#if PROCPOOL_BODIES
#include <procpool/channel/pipe_end.ipp>
#endif
