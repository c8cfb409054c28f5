// SPDX-License-Identifier: BSL-1.0
// An exception of a task is thrown where its result is asked for; a value that cannot travel is refused before it is
// sent.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

struct Overdrawn : std::runtime_error {
    using std::runtime_error::runtime_error;
};
struct Unheard : std::runtime_error {
    using std::runtime_error::runtime_error;
};

int main() {
    procpool::register_exception<Overdrawn>();  // before the pool is built
    procpool::ProcessPool pool{2};

    // Exceptions of the standard library come back as themselves, a system_error with its code.
    try {
        pool.apply([] { throw std::system_error(ENOENT, std::generic_category(), "notes.txt"); });
    } catch (const std::system_error& error) {
        fmt::print("system_error: {}, is ENOENT: {}\n", error.what(),
                   error.code() == std::errc::no_such_file_or_directory);
    }

    // [errors]
    // So do types that were registered; others become a RemoteError, which has their name.
    try {
        pool.apply([] { throw Overdrawn("12 euros too few"); });
    } catch (const Overdrawn& error) { fmt::print("Overdrawn: {}\n", error.what()); }
    try {
        pool.apply([] { throw Unheard("what was that?"); });
    } catch (const procpool::RemoteError& error) {
        fmt::print("RemoteError: {}: {}\n", error.type_name(), error.what());
    }

    // [/errors]

    // An exception waits in its future.
    auto future = pool.apply_async([](const std::string& text) { return std::stoi(text); }, "forty-two");
    try {
        future.get();
    } catch (const std::invalid_argument&) { fmt::print("invalid_argument, thrown by get()\n"); }

    // A reference means nothing to another process: the pool finds it in the closure and refuses to send it.
    int price = 40;
    try {
        pool.apply([&] { return price + 2; });
    } catch (const procpool::CodecError&) { fmt::print("CodecError: [&] cannot travel\n"); }
    fmt::print("{} by value, {} as an argument\n", pool.apply([price] { return price + 2; }),
               pool.apply([](int n) { return n + 2; }, price));
}
