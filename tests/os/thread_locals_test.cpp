// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/thread_locals.hpp>

#include <procpool/os/process.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <cstdlib>
#include <thread>

using namespace procpool;
using namespace procpool_test;

namespace {

Word* destroyed = nullptr;

template <int n>
struct Tells {
    bool used = false;
    ~Tells() {
        if (destroyed != nullptr) { destroyed->fetch_add(n); }
    }
};
template <int n>
[[nodiscard]] Tells<n>& tells() {
    thread_local Tells<n> object;
    return object;
}

int exits_in_child() {
    detail::os::ThreadLocals::prepare();
    tells<1>().used = true;
    return in_child([] {
        detail::os::ThreadLocals::forget();
        tells<100>().used = true;
        if (!tells<1>().used) { return 6; }  // its value is there still
        std::atexit(
            [] { detail::os::leave(5); });  // after the objects, before a sanitizer looks for leaks in half a program
        std::exit(5);
        return 0;
    });
}

}  // namespace

TEST_CASE("a child destroys its own thread_local objects and none of the thread it was forked from") {
    SharedPage page;
    destroyed = page.word();
    CHECK(exits_in_child() == 5);
    CHECK(destroyed->load() == 100);
    std::thread other{[] { destroyed->fetch_add(exits_in_child() == 5 ? 1000 : 0); }};
    other.join();
    CHECK(destroyed->load() == 1201);  // that thread's own object when it ended
    destroyed = nullptr;               // this thread's object ends later
}
