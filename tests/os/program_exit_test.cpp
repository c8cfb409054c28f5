// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/program_exit.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <cstdlib>
#include <thread>

#include <unistd.h>

using namespace procpool;
using namespace procpool_test;

namespace {

struct AskedAtExit {
    ~AskedAtExit() { ::_exit(detail::os::is_exiting_here() ? 1 : 2); }
};

}  // namespace

TEST_CASE("a thread knows whether it is in code that the library has called") {
    CHECK_FALSE(detail::os::InProgramCode::is_here());
    {
        const detail::os::InProgramCode outer;
        {
            const detail::os::InProgramCode inner;
            CHECK(detail::os::InProgramCode::is_here());
        }
        CHECK(detail::os::InProgramCode::is_here());
        bool elsewhere = true;
        std::thread{[&] { elsewhere = detail::os::InProgramCode::is_here(); }}.join();
        CHECK_FALSE(elsewhere);
        CHECK(in_child([] {
                  if (detail::os::InProgramCode::is_here()) { return 1; }  // its parent is
                  const detail::os::InProgramCode own;
                  return detail::os::InProgramCode::is_here() ? 0 : 2;
              }) == 0);
    }
    CHECK_FALSE(detail::os::InProgramCode::is_here());
}

TEST_CASE("exit() is seen by what it calls and by nothing else") {
    CHECK_FALSE(detail::os::is_exiting_here());
    CHECK(in_child([]() -> int {
              static const AskedAtExit asked;
              std::exit(0);
          }) == 1);
    CHECK(in_child([]() -> int {
              std::atexit([] { ::_exit(detail::os::is_exiting_here() ? 1 : 2); });
              std::exit(0);
          }) == 1);
    CHECK(in_child([]() -> int {
              std::thread{[] {
                  static const AskedAtExit asked;
                  std::exit(0);
              }}.join();
              return 3;
          }) == 1);
}
