// SPDX-License-Identifier: BSL-1.0
#include "mpi/hosts.hpp"
#include "mpi/machines.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

using namespace machines;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

std::string host_here() { return std::string(this_worker::host()); }

int slow(int n) {
    std::this_thread::sleep_for(5ms);
    return n;
}

struct Place {
    int node;
    pid_t worker;
    pid_t agent;
};
Place place_here() { return {this_worker::node(), ::getpid(), parent_of(::getppid())}; }

bool lives(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(status)), {});
    return !text.empty() && text.substr(text.rfind(')') + 2, 1) != "Z";
}

}  // namespace

TEST_CASE("MPI-20 tasks run on every host") {
    MpiPool pool{2};
    CHECK(pool.broadcast(host_here) == std::vector<std::string>{"node1", "node1", "node2", "node2", "node3", "node3"});
    std::vector<Future<std::string>> tasks;
    for (int i = 0; i < 60; ++i) {
        tasks.push_back(pool.apply_async([] {
            std::this_thread::sleep_for(5ms);
            return host_here();
        }));
    }
    std::set<std::string> hosts;
    for (auto& task : tasks) { hosts.insert(task.get()); }
    CHECK(hosts.size() >= 2);
    const auto nodes = pool.nodes();
    REQUIRE(nodes.size() == 3);
    for (const NodeInfo& node : nodes) { CHECK(node.host == "node" + std::to_string(node.rank + 1)); }
}

TEST_CASE("MPI-21 a host whose cable is cut costs no task that has retries and ends its workers itself") {
    MpiPool pool{{.workers = 2, .mpi = {.node_timeout = 1s}}};
    const std::vector<Place> places = pool.broadcast(place_here);
    std::vector<Future<int>> tasks;
    for (int i = 0; i < 200; ++i) { tasks.push_back(pool.apply_async(TaskOptions{.retries = 2}, slow, i)); }
    auto there = pool.apply_on_async(4, slow, 7);
    CHECK(there.get() == 7);
    const CutOff cut{"node3"};
    for (int i = 0; i < 200; ++i) { CHECK(tasks[static_cast<std::size_t>(i)].get() == i); }
    while (pool.nodes()[2].alive) { std::this_thread::sleep_for(10ms); }
    CHECK_THROWS_AS(pool.apply_on(4, slow, 1), NodeLost);
    for (const Place& place : places) {
        if (place.node != 2) { continue; }
        while (lives(place.worker) || lives(place.agent)) { std::this_thread::sleep_for(10ms); }
    }
    CHECK(pool.apply(slow, 3) == 3);
    pool.close();
    pool.join();
    const PoolStats stats = pool.stats();
    CHECK(stats.submitted == stats.completed + stats.failed + stats.cancelled + stats.timed_out);
}

TEST_CASE("MPI-22 a host that stands still for a while loses nothing") {
    MpiPool pool{{.workers = 2, .mpi = {.node_timeout = 10s}}};
    std::vector<Future<int>> tasks;
    for (int i = 0; i < 200; ++i) { tasks.push_back(pool.apply_async(slow, i)); }
    CHECK(pool.apply_on(2, slow, 7) == 7);
    {
        const Frozen frozen{"node2"};
        std::this_thread::sleep_for(500ms);  // for so long it answers nothing
    }
    for (int i = 0; i < 200; ++i) { CHECK(tasks[static_cast<std::size_t>(i)].get() == i); }
    for (const NodeInfo& node : pool.nodes()) { CHECK(node.alive); }
    CHECK(pool.stats().retried == 0);
    CHECK(pool.apply_on(2, slow, 7) == 7);
}

TEST_CASE("MPI-23 tasks of equal length are spread over the hosts") {
    MpiPool pool{2};
    CHECK(pool.broadcast([] { return 1; }).size() == 6);
    const auto start = std::chrono::steady_clock::now();
    std::vector<Future<int>> tasks;
    for (int i = 0; i < 64; ++i) {
        tasks.push_back(pool.apply_async([] {
            std::this_thread::sleep_for(20ms);
            return this_worker::node();
        }));
    }
    std::vector<int> of_node(3);
    for (auto& task : tasks) { ++of_node.at(static_cast<std::size_t>(task.get())); }
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    std::printf("64 tasks of 20 ms on 6 workers: %.3f s (ideal 0.220), %d + %d + %d\n", time.count(), of_node[0],
                of_node[1], of_node[2]);
    CHECK(*std::min_element(of_node.begin(), of_node.end()) > 0);
}

// Run by killed_test.sh, which kills rank 0 when every worker has said that it works.
TEST_CASE("works until it is killed", "[.]") {
    MpiPool pool{2};
    std::vector<Future<void>> tasks;
    for (std::size_t i = 0; i < pool.size(); ++i) {
        tasks.push_back(pool.apply_on_async(i, [] {
            for (;;) { ::pause(); }
        }));
    }
    for (const auto& task : tasks) {
        while (!task.running()) { std::this_thread::sleep_for(1ms); }
    }
    std::puts("all work");
    std::fflush(stdout);
    for (;;) { ::pause(); }
}
