// SPDX-License-Identifier: BSL-1.0
#include <procpool/pool/cpus.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <procpool/os/affinity.hpp>

#include <sched.h>

using namespace procpool;
using namespace procpool_test;

TEST_CASE("one CPU is the submitter's; of one CPU none is left") {
    CHECK(detail::pool::spare_cpus() == detail::os::affinity_cpus() - 1);
    CHECK(in_child([] {
              cpu_set_t one;
              CPU_ZERO(&one);
              CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
              if (::sched_setaffinity(0, sizeof one, &one) != 0) { return 1; }
              return detail::pool::spare_cpus() == 0 ? 0 : 2;
          }) == 0);
}
