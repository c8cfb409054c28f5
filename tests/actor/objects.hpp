// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Objects that actors of many tests own.

#include "pool/engines.hpp"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace procpool_test {

/// Counts, and remembers in which order it was called.
struct Tally {
    explicit Tally(int start = 0) : n(start) {
        if (start < 0) { throw std::out_of_range(std::to_string(start)); }
    }
    Tally(const Tally&) = delete;
    Tally& operator=(const Tally&) = delete;

    int add(int by) { return n += by; }
    [[nodiscard]] int value() const noexcept { return n; }
    void note(int number) { notes.push_back(number); }
    [[nodiscard]] const std::vector<int>& all_notes() const { return notes; }
    int fail(const std::string& why) { throw std::invalid_argument(why); }

    int n;
    std::vector<int> notes;
};

/// A state that is saved.
struct Saved {
    int n = 0;
    std::string text;

    template <class Archive>
    void serialize(Archive& archive) {
        archive(n, text);
    }
    int add(int by) { return n += by; }
};

/// A call of an actor that has started and waits. Made before the actor.
struct Job {
    template <class T, class Self>
    Future<void> begin(const detail::actor::ActorCalls<Self, T>& on) {
        auto future = on.call(
            [](T&, Counter running, Gate end) {
                running.add();
                end.wait();
            },
            started, may_end);
        started.wait_for(++begun);
        return future;
    }
    SharedPage page;
    Counter started{page};
    Gate may_end{page};
    std::int64_t begun = 0;
};

/// A call of an actor makes another one of it, and then waits for one.
template <class E>
void is_not_called_within_a_call() {
    auto tally = actor<Tally, E>();
    const ActorRef<Tally> self = tally.ref();
    // One that does not wait runs afterwards.
    tally
        .call([self](Tally& now) {
            now.note(1);
            static_cast<void>(self.call(&Tally::note, 3));
            now.note(2);
        })
        .get();
    CHECK(tally.call(&Tally::all_notes).get() == std::vector{1, 2, 3});
    auto waits = tally.call([self](Tally&) { return self.call(&Tally::value).get(); });
    try {
        get_soon(waits);
        FAIL("a call waited for a later one");
    } catch (const std::system_error& error) { CHECK(error.code() == std::errc::resource_deadlock_would_occur); }
}

inline void crash() { __builtin_trap(); }

}  // namespace procpool_test
