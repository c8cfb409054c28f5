// SPDX-License-Identifier: BSL-1.0
// Bytes that one run of a program writes arrive in another, whose code and statics are elsewhere.

#include <procpool/codec/address.hpp>

#include <procpool/os/code_name.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <stdexcept>
#include <string>
#include <vector>

using namespace procpool_test;

namespace {

constexpr const char* this_build = PROCPOOL_TEST_NAMED_PROGRAM;
constexpr const char* other_build = PROCPOOL_TEST_NAMED_PROGRAM_OTHER_BUILD;
constexpr const char* without_id = PROCPOOL_TEST_NAMED_PROGRAM_WITHOUT_ID;
constexpr const char* not_moved = PROCPOOL_TEST_NAMED_PROGRAM_NOT_MOVED;
constexpr const char* plugin = PROCPOOL_TEST_NAMED_PLUGIN;

/// Returns: the output of a program that is given `input`, less than a pipe holds. Throws when it fails.
std::string run(const char* program, std::vector<std::string> arguments, const std::string& input = {}) {
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) { throw std::runtime_error("pipe2"); }
    std::vector<char*> all{const_cast<char*>(program)};
    for (std::string& argument : arguments) { all.push_back(argument.data()); }
    all.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    ::posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    pid_t child = 0;
    const int error = ::posix_spawn(&child, program, &actions, nullptr, all.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(to[0]);
    ::close(from[1]);
    const bool fed = ::write(to[1], input.data(), input.size()) == static_cast<ssize_t>(input.size());
    ::close(to[1]);
    std::string output;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(from[0], buffer, sizeof(buffer))) > 0;) {
        output.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(from[0]);
    int status = 0;
    if (error != 0 || ::waitpid(child, &status, 0) != child || !fed || !WIFEXITED(status) ||
        (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3)) {
        throw std::runtime_error(std::string(program) + " failed: " + output);
    }
    return output;
}

std::string written(const std::string& what, const char* by = this_build) { return run(by, {"write", what}); }

/// Returns: what one run of the program says of what another one wrote.
std::string arrived(const std::string& what, const char* by = this_build, const char* in = this_build) {
    const std::string bytes = written(what, by);
    return contains(bytes, "refused: ") ? "not written: " + bytes : run(in, {"read", what}, bytes);
}

std::string where(const char* program) {
    const std::string output = run(program, {"where"});
    return output.substr(0, output.find('\n'));
}
std::string modules(const char* program) {
    const std::string output = run(program, {"where"});
    return output.substr(output.find('\n') + 1);
}
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

void check_all(const char* program) {
    CHECK(arrived("function", program, program) == "42");
    CHECK(arrived("reference", program, program) == "42");
    CHECK(arrived("null", program, program) == "null");
    CHECK(arrived("methods", program, program) == "7 105 null 5");
    CHECK(arrived("aggregates", program, program) == "1026");
    CHECK(arrived("call of a function", program, program) == "42");
    CHECK(arrived("call of a method", program, program) == "5");
    CHECK(arrived("code of a lambda", program, program) == "7");
    CHECK(arrived("error codes", program, program) == "warm, here");
    CHECK(arrived("exception", program, program) == "frames here, Lost: lost, outside: warm, here");
    CHECK(arrived("type and place", program, program) == "types, place");
    CHECK(arrived("numbers captured", program, program) == "44");
    CHECK(arrived("statics named", program, program) == "40");
    CHECK(arrived("function in bind_front", program, program) == "2");
    CHECK(arrived("method in std::mem_fn", program, program) == "7");
}

}  // namespace

TEST_CASE("two runs of a program have their code at different addresses unless it is linked to one") {
    const std::string address = where(this_build);
    int same = 0;
    while (where(this_build) == address && ++same != 10) {}
    if (same == 10) { WARN("no address is randomised here"); }  // as under `setarch -R`
    CHECK(where(not_moved) == where(not_moved));
    CHECK(first_line(modules(this_build)) == first_line(modules(this_build)));
}

TEST_CASE("functions and what refers to them arrive where the code is elsewhere") { check_all(this_build); }

TEST_CASE("they arrive in programs without a build id") {
    CHECK(first_line(modules(without_id)) == first_line(modules(without_id)));
    check_all(without_id);
}

TEST_CASE("what a closure captured of the program is refused where that is elsewhere") {
    for (const char* const what : {"static captured", "function captured", "method captured", "literal captured",
                                   "function in std::bind_front"}) {
        CAPTURE(what);
        CHECK(contains(arrived(what),
                       "captured a pointer to static data (or a function), which lies elsewhere on other "
                       "machines"));
    }
    CHECK(contains(arrived("local captured"), "captured a reference or pointer to memory that only this process has"));
    CHECK(contains(arrived("pointer to a static"), "not written: refused: "));
}

TEST_CASE("a program that is always at one address sends what a closure captured of it") {
    check_all(not_moved);
    CHECK(arrived("static captured", not_moved, not_moved) == "20");
    CHECK(arrived("function captured", not_moved, not_moved) == "2");
    CHECK(arrived("method captured", not_moved, not_moved) == "6");
    CHECK(arrived("literal captured", not_moved, not_moved) == std::to_string('i'));
    CHECK(arrived("function in std::bind_front", not_moved, not_moved) == "2");
}

TEST_CASE("another build of a program is told apart and its code is not taken for this one's") {
    const std::string mine = modules(this_build);
    const std::string theirs = modules(other_build);
    CHECK(first_line(mine) != first_line(theirs));
    CHECK(first_line(modules(without_id)) != first_line(mine));
    CHECK(contains(arrived("function", other_build, this_build), "not loaded in this process, or is of another build"));
    CHECK(arrived("code of a lambda", other_build, this_build).starts_with("not loaded"));
    CHECK(arrived("error codes", other_build, this_build) !=
          arrived("error codes", this_build, this_build));  // by name, not by what is at that place here
}

TEST_CASE("a function of a library that is not loaded there is refused with its module") {
    const std::string bytes = run(this_build, {"write", "plugin", plugin});
    CHECK(run(this_build, {"read", "plugin", plugin}, bytes) == "3");
    const std::string refusal = run(this_build, {"read", "plugin"}, bytes);
    CHECK(contains(refusal, "the code of a function is not loaded in this process"));
    std::uint64_t name = 0;
    REQUIRE(bytes.size() == sizeof(name));
    std::memcpy(&name, bytes.data(), sizeof(name));
    CHECK(contains(refusal, procpool::detail::os::explain_name(name)));
}

TEST_CASE("bytes that name no code are refused") {
    CHECK(contains(arrived("a static for a function"), "name no code that this process has"));
}
