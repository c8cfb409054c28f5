// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/throw_place.hpp>

#include "os/refusal.hpp"
#include "support/catch.hpp"

#include <procpool/core/exception_note.hpp>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace procpool::detail;
using Catch::ContainsSubstring;

namespace {

[[gnu::noinline]] void throw_it(int way) {
    switch (way) {
        case -1: break;  // or the compiler takes what calls it for endless
        case 0: throw std::runtime_error("text");
        case 1: throw 42;
        case 2: throw "text";
        case 3: std::__throw_out_of_range("as the standard library does"); break;
        default: std::rethrow_exception(std::make_exception_ptr(std::logic_error("made")));
    }
}

/// Throws and catches others on the way, which are no concern of ours.
[[gnu::noinline]] void throw_through(int way) {
    struct Busy {
        ~Busy() {
            try {
                throw std::range_error("in a destructor");
            } catch (const std::range_error&) {}
        }
    } const busy;
    try {
        throw_it(way);
    } catch (const std::range_error&) {}
}

/// Returns: where f throws, with the exception's object.
template <class F>
std::string place_of_throw(F f) {
    try {
        f();
    } catch (const os::NeverThrown&) { throw; } catch (...) {
        const std::exception_ptr thrown = std::current_exception();
        const os::ThrowPlace place = os::take_throw_place(core::thrown_object(thrown));
        CHECK(os::take_throw_place(core::thrown_object(thrown)).frames().empty());
        return os::describe_throw(place.frames());
    }
    return "nothing thrown";
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// While it lives, throws are recorded.
struct Recording {
    Recording() {
        os::intercept_throws();
        os::records_throws = true;
    }
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;
    ~Recording() { os::records_throws = false; }
};

[[gnu::noinline]] void recur(int depth) {
    if (depth == 0) {
        throw_it(0);
    } else {
        recur(depth - 1);
    }
    asm volatile("");  // no tail call
}

TEST_CASE("where throws cannot be recorded - the error says why") {  // first: once they can, nothing is asked for
    {
        const procpool_test::Refusal refusal{"mprotect", EACCES};
        CHECK_THROWS_AS(os::intercept_throws(), std::system_error);
        CHECK(place_of_throw([] { throw_it(0); }).empty());
    }
    const Recording recording;
    CHECK_FALSE(place_of_throw([] { throw_it(0); }).empty());
}

TEST_CASE("the function that threw comes first - whatever it throws") {
    const Recording recording;
    os::intercept_throws();  // again
    for (int way = 0; way < 5; ++way) {
        const std::string place = place_of_throw([&] { throw_through(way); });
        CAPTURE(way, place);
        CHECK_THAT(first_line(place), ContainsSubstring("throw_it(int)"));
        CHECK_THAT(place, ContainsSubstring("#1 ") && ContainsSubstring("throw_through(int)"));
    }
}

TEST_CASE("without being asked nothing is recorded") {
    { const Recording recording; }
    CHECK(place_of_throw([] { throw_it(0); }).empty());
}

TEST_CASE("an exception that is thrown again comes from there") {
    const Recording recording;
    CHECK_THAT(first_line(place_of_throw([] {
                   try {
                       throw_it(0);
                   } catch (const std::runtime_error&) { throw_through(3); }
               })),
               ContainsSubstring("throw_it(int)"));
}

TEST_CASE("each thread has its own place") {
    const Recording recording;
    std::string other;
    const std::string mine = place_of_throw([&] {
        std::thread([&] { other = place_of_throw([] { throw_through(1); }); }).join();
        recur(1);
    });
    CHECK_THAT(mine, ContainsSubstring("recur(int)"));
    CHECK_THAT(other, ContainsSubstring("throw_through(int)"));
}

TEST_CASE("a place belongs to its exception") {
    const Recording recording;
    try {
        throw_it(0);
    } catch (const os::NeverThrown&) { throw; } catch (const std::exception&) {
        const std::runtime_error other("made");
        CHECK(os::take_throw_place(&other).frames().empty());
    }
}

TEST_CASE("a deep stack is cut") {
    const Recording recording;
    const std::string place = place_of_throw([] { recur(10'000); });
    const auto lines = std::count(place.begin(), place.end(), '\n');
    CHECK(lines > 10);
    CHECK(lines <= static_cast<std::ptrdiff_t>(os::ThrowPlace::most_frames));
}

TEST_CASE("addresses that are none of code do no harm") {
    const std::vector<std::uintptr_t> frames{0, 1, UINTPTR_MAX, 0x123456789abc};
    const std::string text = os::describe_throw(frames);
    CHECK(std::count(text.begin(), text.end(), '\n') == 4);
    CHECK(os::describe_throw({}).empty());
}

}  // namespace
