// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Standard streams around a fork: what the parent has buffered is written once, by the parent.

#include <fcntl.h>
#include <stdio_ext.h>
#include <unistd.h>
#include <cstdio>
#include <iostream>
#include <streambuf>

namespace procpool::inline v0::detail::os {

/// Whether a stream buffer holds output; reads what std::streambuf keeps protected.
struct PendingOutput : std::streambuf {
    [[nodiscard]] static bool in(const std::streambuf& buffer) noexcept {
        return (buffer.*&PendingOutput::pptr)() > (buffer.*&PendingOutput::pbase)();
    }
    [[nodiscard]] static bool in(const std::ostream& stream) noexcept {
        return stream.rdbuf() != nullptr && in(*stream.rdbuf());
    }
};

/// Effects: flushes the standard streams, except one that another thread holds locked: waiting for it could last for
/// ever
///          (fflush(nullptr) does, while a thread sits in getchar()).
inline void flush_standard_streams() noexcept {
    // One without a buffer of its own writes into stdout or stderr, and its flush() would wait for their locks.
    for (std::ostream* const stream : {&std::cout, &std::cerr, &std::clog}) {
        try {
            if (PendingOutput::in(*stream)) { stream->flush(); }
        } catch (...) {  // a stream with exceptions() set; what it holds stays the program's concern
        }
    }
    for (std::FILE* const stream : {stdout, stderr}) {
        if (stream != nullptr && ::ftrylockfile(stream) == 0) {
            std::fflush(stream);
            ::funlockfile(stream);
        }
    }
}

/// Effects: drops what the parent had buffered and could not flush. Called by: a child, right after the fork.
inline void purge_standard_streams() noexcept {
    for (std::FILE* const stream : {stdout, stderr}) {
        if (stream != nullptr) { ::__fpurge(stream); }
    }
}

/// As flush_standard_streams(), for a caller with nothing to flush most of the time: then it costs a few loads.
inline void flush_pending_output() noexcept {
    const bool pending = ::__fpending(stdout) != 0 || ::__fpending(stderr) != 0 || PendingOutput::in(std::cout) ||
                         PendingOutput::in(std::clog);
    if (pending) { flush_standard_streams(); }
}

/// Effects: reads from standard input meet the end of the file, also in programs that this process executes.
inline void close_standard_input() noexcept {
    ::close(STDIN_FILENO);
    if (::open("/dev/null", O_RDONLY) == STDIN_FILENO) { return; }
    // Without /dev/null, as in a bare chroot: a pipe that nobody writes to.
    int ends[2];
    if (::pipe(ends) != 0) { return; }
    if (ends[0] != STDIN_FILENO) {
        ::dup2(ends[0], STDIN_FILENO);
        ::close(ends[0]);
    }
    ::close(ends[1]);
}

}  // namespace procpool::detail::os
