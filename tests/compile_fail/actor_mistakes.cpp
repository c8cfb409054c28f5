// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <mutex>
#include <string>

using namespace procpool;

struct Shelf {
    int put(int n) { return n; }
    int take(int n) const { return n; }
    int take(const std::string& name) const { return static_cast<int>(name.size()); }
    void lock(std::mutex&) {}
};

void call_with_options(const Actor<Shelf>& shelf, const ActorRef<Shelf>& ref) {
    // expect-error: these braces are no options of an actor.s call, which has timeout and label
    const int first = shelf.call({.timeout = 5}, &Shelf::put, 1).get();
    // expect-error: these braces are no options of an actor.s call, which has timeout and label
    const int second = ref.call({.chunk_size = 5}, &Shelf::put, 1).get();
    // expect-error: (these_braces_have_no_type_or_a_misspelt_option|misspelt option|deleted)
    ref.call({.timout = 5}, &Shelf::put, 1);
}

void use(Actor<Shelf>& shelf, const ActorRef<Shelf>& ref) {
    // expect-error: (this_name_stands_for_several_functions|deleted)
    shelf.call(&Shelf::take, 1);
    // expect-error: (an Actor is not copied|an_actor_is_not_copied)
    const auto second = [shelf] {};
    // expect-error: an actor owns an object that it may change
    const Actor<const Shelf>* const third = nullptr;
    static_cast<void>(sizeof(*third));
    // expect-error: cannot be called on the actor.s object with these arguments
    const int fourth = shelf.call(&Shelf::put, "text").get();
    // expect-error: cannot be called on the actor.s object with these arguments
    ref.call([](int n) { return n; }, 1).get();
    // expect-error: a std..mutex or another lock of the standard library cannot travel
    const auto fifth = ref.call(&Shelf::lock, std::mutex{});
    // expect-error: an actor.s call takes TaskOptions, before the function
    const auto sixth = shelf.call(&Shelf::put, 1, TaskOptions{});
    const std::string text;
    // expect-error: this closure cannot travel
    ref.call([text](Shelf& self) { return self.put(static_cast<int>(text.size())); }).get();
}
