// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeepOpen: a closed pool keeps accepting a call's tasks while one exists. OpenCall: one whose call its thread is in.

#include <procpool/client/submission.hpp>
#include <procpool/core/config.hpp>
#include <procpool/os/program_exit.hpp>

#include <utility>

namespace procpool::inline v0::detail::pool {

/// For what has been accepted as one call and is submitted bit by bit: when the pool is closed meanwhile, its workers
/// stay until this has gone, or the pool is joined, as OpenUntil says. In a forked child it does nothing at its end.
class KeepOpen {
public:
    /// Throws: as a submission.
    explicit KeepOpen(client::Client& client, client::OpenUntil until = client::OpenUntil::released);
    KeepOpen(KeepOpen&& other) noexcept : client_(std::exchange(other.client_, nullptr)), until_(other.until_) {}
    KeepOpen& operator=(KeepOpen&&) = delete;
    ~KeepOpen() {
        if (client_ != nullptr) { release(); }
    }

    [[nodiscard]] bool is_of(const client::Client& client) const noexcept { return client_ == &client; }
    void release() noexcept;

private:
    client::Client* client_;
    client::OpenUntil until_;
};

/// A thread that waits for the end of a pool in the middle of such a call would wait for itself: in the call's progress
/// function, or in a continuation that the callback thread runs while it waits in another. Made and destroyed by one
/// thread, the last one first.
class OpenCall {
public:
    explicit OpenCall(KeepOpen keep);
    OpenCall(const OpenCall&) = delete;
    OpenCall& operator=(const OpenCall&) = delete;
    ~OpenCall() { innermost_ = outer_; }

    /// Effects: the calls that this thread is in keep that pool open no longer: once it is closed, what they have not
    /// submitted is refused.
    static void release_all(const client::Client& client) noexcept;

private:
    KeepOpen keep_;
    const os::InProgramCode here_;  // the call reads ranges, encodes, decodes, and reports its progress
    OpenCall* outer_;
    static inline constinit thread_local OpenCall* innermost_ = nullptr;
};

}  // namespace procpool::detail::pool

#if PROCPOOL_BODIES
#include <procpool/pool/keep_open.ipp>
#endif
