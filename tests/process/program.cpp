// SPDX-License-Identifier: BSL-1.0
// A program with a main() of its own, which ends in the way that its argument says. A Process of it runs then.
#include <procpool/process/process.hpp>

#include "pool/subprocess.hpp"
#include "support/events.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>

#include <unistd.h>

/// Some ways to end leave a Process behind: that is what they test.
extern "C" const char* __lsan_default_options();
extern "C" const char* __lsan_default_options() { return "detect_leaks=0"; }

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
            wait_until([&] { return state_in(main_thread) == 'Z' || state_in(main_thread) == 'S'; },
                       "its thread to be through");
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
    if (way == "unloads") {  // the plugin that the next arguments name; repeated, since a thread may need a moment to
                             // reach unloaded code
        for (int round = 0; round < 3; ++round) {
            void* const plugin = ::dlopen(arguments[2], RTLD_NOW | RTLD_LOCAL);
            if (plugin == nullptr) { return 77; }
            const int got = reinterpret_cast<int (*)(const char*)>(::dlsym(plugin, "use_procpool"))(arguments[3]);
            ::dlclose(plugin);
            if (got != 6) { return 1; }
            const auto is_alone = [] {
                return std::distance(std::filesystem::directory_iterator{"/proc/self/task"}, {}) == 1;
            };
            if (std::string_view{arguments[3]} != "log") { wait_until(is_alone, "the threads of the library to end"); }
        }
        if (std::string_view{arguments[3]} == "process") { ::pthread_exit(nullptr); }
        return 0;
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
