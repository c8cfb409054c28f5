// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/identity.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <array>
#include <thread>
#include <vector>

using namespace procpool;
using namespace procpool_test;

TEST_CASE("a process keeps its token") {
    const detail::os::Token token = detail::os::process_token();
    CHECK(token != 0);
    CHECK(detail::os::process_token() == token);
    CHECK(detail::os::is_process(token));
    CHECK_FALSE(detail::os::is_process(token + 1));
}

TEST_CASE("all threads of a process have its token", "[thread]") {
    const detail::os::Token token = detail::os::process_token();
    std::array<detail::os::Token, 4> seen{};
    std::vector<std::thread> threads;
    for (detail::os::Token& one : seen) {
        threads.emplace_back([&one] { one = detail::os::process_token(); });
    }
    for (std::thread& thread : threads) { thread.join(); }
    for (const detail::os::Token one : seen) { CHECK(one == token); }
}

TEST_CASE("a child is not its parent - whether it has asked for its own token or not") {
    const detail::os::Token token = detail::os::process_token();
    CHECK(in_child([&] {
              if (detail::os::is_process(token)) { return 1; }
              const detail::os::Token own = detail::os::process_token();
              if (own == 0 || own == token) { return 2; }
              if (detail::os::is_process(token) || !detail::os::is_process(own)) { return 3; }
              return own == detail::os::process_token() ? 0 : 4;
          }) == 0);
    CHECK(detail::os::is_process(token));
}

TEST_CASE("a grandchild is neither its parent nor its grandparent") {
    const detail::os::Token token = detail::os::process_token();
    const bool parent_asked_before = GENERATE(true, false);
    CHECK(in_child([&] {
              const detail::os::Token parent = parent_asked_before ? detail::os::process_token() : token;
              return in_child([&] {
                  if (detail::os::is_process(token) || detail::os::is_process(parent)) { return 1; }
                  const detail::os::Token own = detail::os::process_token();
                  return own != 0 && own != token && own != parent ? 0 : 2;
              });
          }) == 0);
}

TEST_CASE("threads of a fresh child that ask at the same time get one token") {
    CHECK(in_child([] {
              for (int round = 0; round < 20; ++round) {
                  const int failed = in_child([] {
                      std::array<detail::os::Token, 4> seen{};
                      std::atomic<int> waiting{4};
                      std::vector<std::thread> threads;
                      for (detail::os::Token& one : seen) {
                          threads.emplace_back([&] {
                              --waiting;
                              while (waiting != 0) { std::this_thread::yield(); }
                              one = detail::os::process_token();
                          });
                      }
                      for (std::thread& thread : threads) { thread.join(); }
                      for (const detail::os::Token one : seen) {
                          if (one != seen[0] || !detail::os::is_process(one)) { return 1; }
                      }
                      return 0;
                  });
                  if (failed != 0) { return failed; }
              }
              return 0;
          }) == 0);
}

TEST_CASE("a forked child finds the wiped word to be 0") {
    static_cast<void>(detail::os::process_token());
    detail::os::wiped_word() = detail::os::Wiped{7};
    CHECK(in_child([] { return detail::os::wiped_word() == detail::os::Wiped{0} ? 0 : 1; }) == 0);
    CHECK(detail::os::wiped_word() == detail::os::Wiped{7});
    CHECK(detail::os::is_process(detail::os::process_token()));
}
