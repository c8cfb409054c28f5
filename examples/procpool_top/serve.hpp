// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// serve(): what procpool-top shows, as a web page and as data for programs, on this machine only.

#include <functional>
#include <string>
#include <string_view>

namespace procpool_top {

/// The origin of the server's texts. Called by the thread that serves, at most ten times a second each, and not at
/// all while nobody asks.
struct Source {
    std::function<std::string()> json;        ///< all programs at this moment; any text in it is encoded as JSON wants
    std::function<std::string()> prometheus;  ///< the same in Prometheus' text format
};

/// Serves until SIGINT or SIGTERM. Prints "http://127.0.0.1:PORT/" in a line as soon as it can be asked for:
///     GET /                the page, which shows what comes from /events
///     GET /snapshot.json   one snapshot
///     GET /events          snapshots as server-sent events, up to ten a second; a client gets the newest when it has
///                          taken the one before
///     GET /metrics         for Prometheus
/// Only programs of this user, and of root, are answered, and browsers only if they ask for a name of the loopback, so
/// that no site reaches it by a name of its own.
/// address: 127.0.0.1:PORT, localhost:PORT or [::1]:PORT; port 0: one that is free.
/// Returns: the exit status, 0, or 2 after a message where it cannot serve there.
[[nodiscard]] int serve(std::string_view address, const Source& source);

}  // namespace procpool_top
