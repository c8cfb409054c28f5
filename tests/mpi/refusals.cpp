// SPDX-License-Identifier: BSL-1.0
// A program whose pool may be refused, or warned of: refusals_test.sh reads what rank 0 prints.
#include <procpool/mpi.hpp>
#include <procpool/procpool.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

int main() {
    using namespace procpool;
    set_log_sink(
        [](const LogRecord& record) {
            std::printf("log: %s\n", std::string(record.text).c_str());
            std::fflush(stdout);
        },
        LogLevel::warning);
    int status = 0;
    try {
        MpiPool pool{{.workers = 1, .mpi = {.node_timeout = std::chrono::seconds{10}}}};
        std::printf("size %zu\n", pool.size());
        std::printf("answer %d\n", pool.apply([](int n) { return n + PROCPOOL_TEST_BUILD; }, 41));
    } catch (const std::exception& error) {
        std::printf("refused: %s\n", error.what());
        status = 3;
    }
    set_log_sink({});
    return status;
}
