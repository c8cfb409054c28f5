// SPDX-License-Identifier: BSL-1.0
// A little of everything, as Clang compiles and links it: answers, an error, a death and a line of the log.
#include <procpool/procpool.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

bool check(bool good, const char* what) {
    if (!good) { std::fprintf(stderr, "wrong: %s\n", what); }
    return good;
}

}  // namespace

int main() {
    static std::atomic<int> lines{0};
    procpool::set_log_sink([](const procpool::LogRecord& record) {
        if (std::string{record.text} == "an answer: 42") { ++lines; }
    });
    procpool::ProcessPool pool{2};
    bool good = check(pool.map([](int x) { return x * 2; }, std::vector{1, 2, 3}) == std::vector{2, 4, 6}, "map");
    try {
        pool.apply([] { throw std::out_of_range{"far"}; });
        good = check(false, "no exception");
    } catch (const std::out_of_range& error) {
        good &= check(std::string{error.what()}.find("far") != std::string::npos, "what()");
    }
    try {
        pool.apply([] { std::abort(); });
        good = check(false, "no death");
    } catch (const procpool::WorkerDied&) {}
    pool.apply([](int answer) { procpool::log(procpool::LogLevel::error, "an answer: {}", answer); }, 42);
    pool.close();
    pool.join();
    procpool::set_log_sink(nullptr);
    good &= check(lines == 1, "log");
    return good ? 0 : 1;
}
