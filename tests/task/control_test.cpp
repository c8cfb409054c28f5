// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/control.hpp>

#include "support/catch.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace procpool::detail::task;

namespace {
// As it lies in fresh shared memory.
std::unique_ptr<Control> zeroed() { return std::make_unique<Control>(); }
}  // namespace

TEST_CASE("a life moves down the list only") {
    const auto control = zeroed();
    CHECK(control->life.load() == Life::open);
    CHECK(control->advance(Life::closing));
    CHECK_FALSE(control->advance(Life::closing));
    CHECK_FALSE(control->advance(Life::open));
    CHECK(control->advance(Life::killed));
    CHECK_FALSE(control->advance(Life::terminated));
    CHECK(control->life.load() == Life::killed);
    CHECK(control->advance(Life::broken));
}

TEST_CASE("of many who move life at once: one moved it", "[thread]") {
    for (int round = 0; round < 200; ++round) {
        const auto control = zeroed();
        std::atomic<int> moved{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&] { moved += control->advance(Life::closing) ? 1 : 0; });
        }
        for (std::thread& thread : threads) { thread.join(); }
        REQUIRE(moved == 1);
    }
}

TEST_CASE("the first explanation is kept") {
    const auto words = std::make_unique<FromWorkers>();
    CHECK(words->reason().empty());
    words->set_reason("because");
    words->set_reason("because of something else");
    CHECK(words->reason() == "because");
}

TEST_CASE("a long explanation is cut") {
    const auto words = std::make_unique<FromWorkers>();
    words->set_reason(std::string(5000, 'x'));
    CHECK(words->reason() == std::string(words->reason_text.size() - 1, 'x'));
}

TEST_CASE("an explanation is read whole or not at all", "[thread]") {
    for (int round = 0; round < 200; ++round) {
        const auto words = std::make_unique<FromWorkers>();
        std::thread a{[&] { words->set_reason(std::string(500, 'a')); }};
        std::thread b{[&] { words->set_reason(std::string(300, 'b')); }};
        std::string seen;
        while (seen.empty()) {
            seen = words->reason();
            std::this_thread::yield();
        }
        a.join();
        b.join();
        REQUIRE((seen == std::string(500, 'a') || seen == std::string(300, 'b')));
    }
}

TEST_CASE("an explanation that a task has overwritten ends with its place") {
    const auto words = std::make_unique<FromWorkers>();
    words->set_reason("because");
    words->reason_text.fill('x');
    CHECK(words->reason() == std::string(words->reason_text.size(), 'x'));
    words->reason_state.store(0x41414141);
    CHECK(words->reason().empty());
}
