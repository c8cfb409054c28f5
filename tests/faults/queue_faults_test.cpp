// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/queue.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/shm/shared.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"

#include <csignal>

#include <unistd.h>

using namespace procpool;
using namespace procpool_test;

TEST_CASE("a producer that sleeps learns of a close whose process died in the middle") {
    const Shared<Queue<int>> queue{1};
    queue->put(1);
    const pid_t producer = start_child([&] {
        try {
            queue->put(2);
        } catch (const QueueClosed&) { return 0; }
        return 1;
    });
    wait_for_sleep(producer);
    CHECK(in_child([&] {
              detail::fault_hook = [](detail::FaultPoint point) {
                  if (point == detail::FaultPoint::queue_half_closed) { ::kill(::getpid(), SIGKILL); }
              };
              queue->close();
              return 0;
          }) == 128 + SIGKILL);
    CHECK(wait_for_child(producer) == 0);
}
