// SPDX-License-Identifier: BSL-1.0
// A Process is one child that runs any callable once: nothing is encoded, it is forked now and sees all of the parent's
// memory. Right for work that may crash, leak or hang, for a service beside the program, and for whatever must not
// touch the program's own state.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <unistd.h>
#include <chrono>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;

int main() {
    std::vector<std::string> log{"begun"};

    procpool::Process counts{[&] {  // by reference, as nothing travels
        log.push_back("only the child's copy has this line");
        return static_cast<int>(log.size());  // an int is the exit code
    }};
    counts.join();
    fmt::print("the child {}, the parent's log has {} line\n", to_string(counts.exit_status()), log.size());

    procpool::Process crashes{[] { ::raise(SIGSEGV); }};
    crashes.join();
    fmt::print("another {}\n", to_string(crashes.exit_status()));

    procpool::Process throws{[] { throw std::out_of_range("no such entry"); }};
    throws.join();
    try {
        if (throws.error()) { std::rethrow_exception(throws.error()); }
    } catch (const std::out_of_range& error) { fmt::print("a third threw out_of_range: {}\n", error.what()); }

    procpool::Process hangs{procpool::ProcessOptions{.name = "hangs"}, [] { ::sleep(1000); }};
    if (!hangs.join_for(50ms)) {  // poll(), epoll and Asio can wait for hangs.native_handle()
        fmt::print("'{}' takes long\n", hangs.name());
        hangs.terminate();
    }
    hangs.join();
    fmt::print("it {}\n", to_string(hangs.exit_status()));

    const procpool::Process forgotten{[] { ::sleep(1000); }};  // its destructor asks it to end, and waits
}
