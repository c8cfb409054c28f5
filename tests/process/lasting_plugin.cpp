// SPDX-License-Identifier: BSL-1.0
// A plugin that leaves everything of the library's that outlives a pool. It is built so that nothing but the library
// keeps it in memory.
#include <procpool/procpool.hpp>

#include <string_view>

using namespace procpool;

/// Returns: 6.
extern "C" [[gnu::visibility("default")]] int use_procpool(const char* what) {
    const std::string_view way = what;
    if (way == "process") {
        Process process{[] { return 6; }};
        process.join();
        return process.exit_status().code();
    }
    if (way == "log") {
        set_log_sink([](const LogRecord&) {});
        log(LogLevel::error, "something");
    }
    Pool pool{1};
    auto future = pool.apply_async([] { return 6; });
    if (way == "callback") {
        future.on_done([] {});
    }
    return future.get();
}
