// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/streams.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

using namespace procpool;
using namespace procpool_test;

namespace {

/// Runs `function` in a child whose standard output and error go to a file; it leaves by exit(), which writes buffered
/// output. Returns: the contents of the file then.
template <class Function>
std::string printed_by(Function function) {
    std::FILE* const file = std::tmpfile();
    std::fflush(stdout);  // Catch's own
    const int status = in_child([&] {
        ::dup2(::fileno(file), STDOUT_FILENO);
        ::dup2(::fileno(file), STDERR_FILENO);
        function();
        std::fflush(stdout);
        return 0;
    });
    std::string text;
    std::rewind(file);
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) { text += static_cast<char>(c); }
    std::fclose(file);
    if (status != 0) { text += " and ended with " + std::to_string(status); }
    return text;
}

/// A child that purges as workers do, and then writes whatever it has still buffered.
void fork_and_write_buffers() {
    const int status = in_child([] {
        detail::os::purge_standard_streams();
        std::fflush(stdout);
        std::cout.flush();
        std::clog.flush();
        return 0;
    });
    if (status != 0) { std::printf("child: %d", status); }
}

}  // namespace

TEST_CASE("what the parent had printed before a fork is printed once") {
    CHECK(printed_by([] {
              std::printf("once");
              detail::os::flush_standard_streams();
              fork_and_write_buffers();
          }) == "once");
}

TEST_CASE("what the parent could not flush is printed once by the parent") {
    CHECK(printed_by([] {
              std::printf("once");
              fork_and_write_buffers();
          }) == "once");
}

TEST_CASE("cout and clog with buffers of their own are printed once") {
    CHECK(printed_by([] {
              std::ios::sync_with_stdio(false);
              std::cout << "out ";
              std::clog << "log";
              detail::os::flush_standard_streams();
              fork_and_write_buffers();
          }) == "out log");
}

TEST_CASE("flushing does not wait for a stream that another thread holds") {
    std::FILE* const held = GENERATE(true, false) ? stdout : stderr;
    CHECK(in_child(
              [held] {
                  std::atomic<bool> holds{false};
                  std::thread{[&] {
                      ::flockfile(held);
                      holds = true;
                      for (;;) { ::pause(); }
                  }}.detach();
                  while (!holds) { std::this_thread::yield(); }
                  detail::os::flush_standard_streams();
                  detail::os::flush_pending_output();
                  return 0;
              },
              std::chrono::seconds{5}) == 0);
}

TEST_CASE("flushing does not wait for a thread that reads from standard input") {
    CHECK(in_child(
              [] {
                  std::array<int, 2> ends{};
                  if (::pipe(ends.data()) != 0) { return 1; }
                  ::dup2(ends[0], STDIN_FILENO);
                  std::thread{[] { static_cast<void>(std::getchar()); }}.detach();
                  while (::ftrylockfile(stdin) == 0) {  // until it sits in getchar()
                      ::funlockfile(stdin);
                      std::this_thread::yield();
                  }
                  detail::os::flush_standard_streams();
                  detail::os::purge_standard_streams();
                  return 0;
              },
              std::chrono::seconds{5}) == 0);
}

TEST_CASE("pending output is flushed - wherever it is buffered") {
    const bool synchronised = GENERATE(true, false);
    CHECK(printed_by([synchronised] {
              std::ios::sync_with_stdio(synchronised);
              std::printf("c ");
              std::fflush(stdout);
              std::cout << "c++ ";
              detail::os::flush_pending_output();
              std::clog << "log";
              detail::os::flush_pending_output();
              detail::os::purge_standard_streams();
              ::_exit(0);
          }) == "c c++ log");
}

TEST_CASE("a buffer tells whether it holds output") {
    std::stringbuf buffer;
    CHECK_FALSE(detail::os::has_pending_output(buffer));
    buffer.sputc('x');
    CHECK(detail::os::has_pending_output(buffer));
}

TEST_CASE("a stream that throws does not stop a flush") {
    CHECK(printed_by([] {
              std::ios::sync_with_stdio(false);
              struct Broken : std::stringbuf {
                  int sync() override { return -1; }
              };
              static Broken broken;
              std::cout.rdbuf(&broken);
              std::cout.exceptions(std::ios::badbit);
              std::cout << "lost";
              std::printf("kept");
              detail::os::flush_standard_streams();
              detail::os::purge_standard_streams();
          }) == "kept");
}

TEST_CASE("standard input ends at once") {
    CHECK(in_child(
              [] {
                  std::array<int, 2> ends{};
                  if (::pipe(ends.data()) != 0) { return 1; }
                  ::dup2(ends[0], STDIN_FILENO);
                  detail::os::close_standard_input();
                  return std::getchar() == EOF ? 0 : 2;
              },
              std::chrono::seconds{5}) == 0);
    CHECK(in_child(
              [] {
                  ::close(STDIN_FILENO);
                  detail::os::close_standard_input();
                  char byte = 0;
                  return ::read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 3;
              },
              std::chrono::seconds{5}) == 0);
}
