// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/inner_threads.hpp>

#include <procpool/core/scope.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

using namespace procpool_test;
using procpool::detail::core::OnExit;
using procpool::detail::os::InnerThreads;

namespace {

constexpr const char* names[] = {"OMP_NUM_THREADS",       "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                                 "BLIS_NUM_THREADS",      "NUMEXPR_NUM_THREADS",  "NUMBA_NUM_THREADS",
                                 "VECLIB_MAXIMUM_THREADS"};

bool is(const char* name, std::string_view value) {
    const char* const found = ::getenv(name);
    return found != nullptr && found == value;
}

TEST_CASE("the variables of libraries with threads are set once; others stay") {
    CHECK(in_child([] {
              ::setenv("OMP_NUM_THREADS", "7", 1);
              ::setenv("OMP_NUM_THREADS_TOO", "left", 1);
              ::unsetenv("MKL_NUM_THREADS");
              std::size_t others = 0;
              for (char** one = environ; *one != nullptr; ++one) {
                  bool is_own = false;
                  for (const char* const name : names) {
                      is_own = is_own || std::string_view(*one).starts_with(std::string(name) + "=");
                  }
                  others += is_own ? 0 : 1;
              }
              InnerThreads{12}.set_for_process();
              for (const char* const name : names) {
                  if (!is(name, "12")) { return 1; }
              }
              if (!is("OMP_NUM_THREADS_TOO", "left")) { return 2; }
              std::size_t all = 0;
              while (environ[all] != nullptr) { ++all; }
              if (all != others + std::size(names)) { return 3; }
              // and the C library goes on with what it finds there
              if (::setenv("OMP_NUM_THREADS", "1", 1) != 0 || !is("OMP_NUM_THREADS", "1")) { return 4; }
              if (::setenv("PROCPOOL_TEST_NEW", "new", 1) != 0 || !is("PROCPOOL_TEST_NEW", "new")) { return 5; }
              if (::unsetenv("MKL_NUM_THREADS") != 0 || ::getenv("MKL_NUM_THREADS") != nullptr) { return 6; }
              return is("BLIS_NUM_THREADS", "12") ? 0 : 7;
          }) == 0);
}

TEST_CASE("nothing is set where no number is given; an empty environment gets the variables") {
    CHECK(in_child([] {
              char** const before = environ;
              InnerThreads{}.set_for_process();
              InnerThreads{0}.set_for_process();
              if (environ != before) { return 1; }
              ::clearenv();
              InnerThreads{3}.set_for_process();
              return is("OMP_NUM_THREADS", "3") ? 0 : 2;
          }) == 0);
}

TEST_CASE("libraries that are loaded are told by their functions") {
    CHECK(in_child([] {
              void* const plugin = ::dlopen(PROCPOOL_TEST_RUNTIMES, RTLD_NOW | RTLD_GLOBAL);
              if (plugin == nullptr) { return 1; }
              const auto told = reinterpret_cast<long (*)(int)>(::dlsym(plugin, "procpool_test_told"));
              const InnerThreads of_thread{5};
              of_thread.set_for_thread();
              if (told(0) != 0 || told(1) != 0 || told(2) != 0 || told(3) != 5 || told(4) != 0) { return 2; }
              InnerThreads{6}.set_for_process();
              return told(0) == 6 && told(1) == 6 && told(2) == 6 && told(3) == 5 && told(4) == 6 ? 0 : 3;
          }) == 0);
}

TEST_CASE("a child sets its variables though a thread was changing the environment at the fork") {
    std::atomic<bool> ends{false};
    std::thread changer{[&] {
        while (!ends.load()) { ::setenv("PROCPOOL_TEST_CHANGED", "to something that is long enough to be copied", 1); }
        ::unsetenv("PROCPOOL_TEST_CHANGED");
    }};
    const OnExit end{[&] {
        ends.store(true);
        changer.join();
    }};
    const InnerThreads two{2};
    int failed = 0;
    for (int i = 0; i < 200 && failed == 0; ++i) {
        failed = in_child([&] {
            two.set_for_process();
            return is("OMP_NUM_THREADS", "2") ? 0 : 1;
        });
    }
    CHECK(failed == 0);
}

}  // namespace
