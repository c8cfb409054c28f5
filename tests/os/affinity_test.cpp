// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/affinity.hpp>

#include <procpool/os/usable_cpus.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <sched.h>
#include <cstdlib>

using namespace procpool;
using namespace procpool_test;

TEST_CASE("an affinity of one CPU means one CPU") {
    CHECK(in_child([] {
              cpu_set_t one;
              CPU_ZERO(&one);
              cpu_set_t all;
              ::sched_getaffinity(0, sizeof all, &all);
              if (detail::os::affinity_cpus() != static_cast<std::size_t>(CPU_COUNT(&all))) { return 1; }
              for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
                  if (CPU_ISSET(cpu, &all)) {
                      CPU_SET(cpu, &one);
                      break;
                  }
              }
              if (::sched_setaffinity(0, sizeof one, &one) != 0) { return 2; }
              ::unsetenv("PROCPOOL_WORKERS");
              return detail::os::affinity_cpus() == 1 && usable_cpus() == 1 ? 0 : 3;
          }) == 0);
}
