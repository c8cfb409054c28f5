// SPDX-License-Identifier: BSL-1.0
// A program with a main() of its own, which ends in the way that its argument says. A Process of it runs then.
#include <procpool/pool/process.hpp>

#include "pool/subprocess.hpp"
#include "support/events.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <pthread.h>
#include <string>
#include <string_view>
#include <thread>

#include <unistd.h>

using namespace procpool;
using namespace procpool_test;

namespace {

std::atomic<bool> main_ends{false};
struct TellsTheEnd {
    ~TellsTheEnd() { main_ends = true; }
};

void sleep_long() { std::this_thread::sleep_for(std::chrono::hours{1}); }

void print_pid(const Process& process) {
    std::printf("%d\n", static_cast<int>(process.pid()));
    std::fflush(stdout);
}

}  // namespace

int main(int, char** arguments) {
    const std::string_view way = arguments[1];
    if (way == "main leaves") {
        static SharedPage page;
        static const Gate may_end{page};
        const TellsTheEnd unwound;
        static Process process{[] {
            may_end.wait();
            return 7;
        }};
        std::thread{[] {
            const std::string main_thread = "/proc/self/task/" + std::to_string(::getpid());
            wait_until([&] { return main_ends.load(); }, "main() to leave");
            wait_until([&] { return state_in(main_thread) == 'Z' || state_in(main_thread) == 'S'; }, "its thread to be through");
            may_end.set();
            process.join();
            std::printf("%s\n", to_string(process.exit_status()).c_str());
        }}.detach();
        ::pthread_exit(nullptr);
    }
    if (way == "main leaves nobody") {
        auto* const leaked = new Process{sleep_long};
        print_pid(*leaked);
        ::pthread_exit(nullptr);
    }
    const bool leaks = way.ends_with("leaked");
    Process* process = nullptr;
    if (leaks) {
        process = new Process{sleep_long};
    } else {
        static Process with_statics{sleep_long};
        process = &with_statics;
    }
    print_pid(*process);
    if (way.starts_with("exit")) { std::exit(0); }
    return 0;
}
