// SPDX-License-Identifier: BSL-1.0
// A program for the tests of procpool-top to look at: two workers hold tasks until a line comes on the standard input.

#include <procpool/procpool.hpp>

#include <unistd.h>
#include <array>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace procpool;

void hold(Event* begun, Event* go) {
    begun->set();
    go->wait();
}
void fail() { throw std::runtime_error("as asked"); }
void die() { ::_exit(3); }

[[nodiscard]] bool reads_line() {
    std::string line;
    return static_cast<bool>(std::getline(std::cin, line));
}

}  // namespace

int main(int count, char** arguments) {
    const std::string_view what = count > 1 ? arguments[1] : "";
    ProcessPool pool{PoolOptions{.workers = 2, .name = "subject \"\\\n\xff", .latencies = what != "--plain"}};
    if (what == "--bare") {  // says what the pool may be known by
        std::printf("%s", pool.prometheus().c_str());
        return 0;
    }
    if (what == "--ends") { return reads_line() ? 0 : 1; }
    for (int i = 0; i < 20; ++i) {
        pool.apply_async(+[] {}).get();
    }
    auto failed = pool.apply_async(fail);
    auto died = pool.apply_async(die);
    failed.wait();
    died.wait();
    const Shared<Event> go;
    const std::array<Shared<Event>, 2> begun;
    std::vector<Future<void>> tasks;
    tasks.push_back(
        pool.apply_async(TaskOptions{.label = "first \"\\\x01\n\xfe \xc3\xa4"}, hold, begun[0].get(), go.get()));
    begun[0]->wait();
    tasks.push_back(pool.apply_async(TaskOptions{.timeout = std::chrono::hours{1}}, hold, begun[1].get(), go.get()));
    begun[1]->wait();
    tasks.push_back(pool.apply_async(+[] {}));
    tasks.push_back(pool.apply_async(
        TaskOptions{.priority = 2}, +[] {}));
    tasks.push_back(pool.apply_async(
        TaskOptions{.priority = 2}, +[] {}));
    auto withdrawn = pool.apply_async(
        TaskOptions{.priority = -1}, +[] {});
    withdrawn.cancel();
    std::printf("ready %d\n%s", static_cast<int>(::getpid()), what == "--prometheus" ? pool.prometheus().c_str() : "");
    std::printf("end\n");
    std::fflush(stdout);
    while (reads_line() && what == "--refork") {
        go->set();
        pool.refork();
        std::printf("reforked\n");
        std::fflush(stdout);
    }
    go->set();
    for (Future<void>& task : tasks) { task.get(); }
    return 0;
}
