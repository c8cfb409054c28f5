// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/connection.hpp>
#include <procpool/channel/queue.hpp>

#include <chrono>
#include <string>

using namespace procpool;

void wait(const Shared<Queue<int>>& queue, const Shared<Connection<std::string>>& end) {
    // expect-error: procpool: a function whose name ends in _until is given a std::chrono::time_point
    static_cast<void>(queue->get_until(std::chrono::milliseconds{5}));
    // expect-error: procpool: a time has a unit: write 5s or 500ms
    static_cast<void>(queue->get_for(5));
    // expect-error: procpool: a time has a unit
    static_cast<void>(queue->put_for(1, 0.5));
    // expect-error: procpool: a time has a unit
    static_cast<void>(queue->join_for(std::chrono::steady_clock::now()));
    // expect-error: procpool: a time has a unit
    static_cast<void>(end->recv_for(100U));
    // expect-error: procpool: a time has a unit
    static_cast<void>(end->poll(1L));
}
