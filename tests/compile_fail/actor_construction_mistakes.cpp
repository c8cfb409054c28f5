// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <memory>
#include <string>

using namespace procpool;

struct Shelf {
    explicit Shelf(const char*) {}
};

void make() {
    // expect-error: the actor.s object cannot be constructed from these arguments
    const auto first = actor<Shelf>(std::string("oak"));
    // expect-error: the actor.s object cannot be constructed from these arguments
    const auto second = actor<Shelf>(ActorOptions{.restarts = 1}, "oak", 3);
}

void supervise(Supervisor& site, int port) {
    const auto serve = [](int) {};
    const auto run = [port] { static_cast<void>(port); };
    // expect-error: add_process.. takes a Restart and ProcessOptions, in this order.*last a function
    site.add_process(serve, port);
    // expect-error: add_process.. takes a Restart and ProcessOptions, in this order.*last a function
    site.add_process(run, Restart::transient);
    // expect-error: add_process.. takes a Restart and ProcessOptions, in this order.*last a function
    site.add_process([owned = std::make_unique<int>(port)] {});
    // expect-error: a time has a unit: write 5s or 500ms
    static_cast<void>(site.wait_for(5));
    site.add_process(Restart::transient, run);
    site.add_process(Restart::transient, {.name = "run"}, run);
    site.add_process({.name = "run"}, run);
    site.add_process(run);
    // expect-error: the actor.s object cannot be constructed from these arguments
    site.add_actor<Shelf>(port);
}
