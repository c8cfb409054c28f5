// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/streams.hpp>

#include <fcntl.h>
#include <stdio_ext.h>
#include <unistd.h>
#include <cstdio>
#include <iostream>
#include <streambuf>

namespace procpool::inline v0::detail::os {

/// Reads what std::streambuf keeps protected.
struct ProtectedBuffer : std::streambuf {
    [[nodiscard]] static bool has_pending_output(const std::streambuf& buffer) noexcept {
        return (buffer.*&ProtectedBuffer::pptr)() > (buffer.*&ProtectedBuffer::pbase)();
    }
};

PROCPOOL_DECL bool has_pending_output(const std::streambuf& buffer) noexcept {
    return ProtectedBuffer::has_pending_output(buffer);
}

[[nodiscard]] inline bool has_pending_output(const std::ostream& stream) noexcept {
    return stream.rdbuf() != nullptr && ProtectedBuffer::has_pending_output(*stream.rdbuf());
}

PROCPOOL_DECL void flush_standard_streams() noexcept {
    // One without a buffer of its own writes into stdout or stderr, and its flush() would wait for their locks.
    for (std::ostream* const stream : {&std::cout, &std::cerr, &std::clog}) {
        try {
            if (has_pending_output(*stream)) { stream->flush(); }
        } catch (...) {  // a stream with exceptions() set; its output stays the program's concern
        }
    }
    for (std::FILE* const stream : {stdout, stderr}) {
        if (stream != nullptr && ::ftrylockfile(stream) == 0) {
            std::fflush(stream);
            ::funlockfile(stream);
        }
    }
}

PROCPOOL_DECL void purge_standard_streams() noexcept {
    for (std::FILE* const stream : {stdout, stderr}) {
        if (stream != nullptr) { ::__fpurge(stream); }
    }
}

PROCPOOL_DECL bool is_output_pending() noexcept {
    return ::__fpending(stdout) != 0 || ::__fpending(stderr) != 0 || has_pending_output(std::cout) ||
           has_pending_output(std::clog);
}

PROCPOOL_DECL void flush_pending_output() noexcept {
    if (is_output_pending()) { flush_standard_streams(); }
}

PROCPOOL_DECL void close_standard_input() noexcept {
    ::close(STDIN_FILENO);
    if (::open("/dev/null", O_RDONLY) == STDIN_FILENO) { return; }
    // Without /dev/null, as in a bare chroot: a pipe without a writer.
    int ends[2];
    if (::pipe(ends) != 0) { return; }
    if (ends[0] != STDIN_FILENO) {
        ::dup2(ends[0], STDIN_FILENO);
        ::close(ends[0]);
    }
    ::close(ends[1]);
}

}  // namespace procpool::detail::os
