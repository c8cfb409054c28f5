// SPDX-License-Identifier: BSL-1.0
// Values whose codecs fail, on both sides, where callbacks are concerned.
#include "pool/engines.hpp"
#include "pool/subprocess.hpp"

#include <csignal>
#include <stdexcept>
#include <string>
#include <vector>

namespace procpool_test {

enum class Way : int { none, throws, throws_number, exits, crashes };
enum class Where : int { nowhere, task, argument, result, parent };

inline void go(Way way) {
    switch (way) {
        case Way::none: return;
        case Way::throws: throw std::out_of_range("asked to");
        case Way::throws_number: throw 42;
        case Way::exits: ::_exit(0);
        case Way::crashes: ::raise(SIGSEGV);
    }
}

/// Fails when it is decoded by the task, encoded by the task, or decoded by the parent.
struct Fragile {
    Way way = Way::none;
    Where where = Where::nowhere;
    bool from_task = false;
};

}  // namespace procpool_test

template <>
struct procpool::Codec<procpool_test::Fragile> {
    using Fragile = procpool_test::Fragile;
    using Where = procpool_test::Where;
    static void encode(Writer& out, const Fragile& value) {
        if (value.where == Where::result && value.from_task) { procpool_test::go(value.way); }
        Codec<int>::encode(out, static_cast<int>(value.way));
        Codec<int>::encode(out, static_cast<int>(value.where));
        Codec<bool>::encode(out, value.from_task);
    }
    static Fragile decode(Reader& in) {
        Fragile value;
        value.way = static_cast<procpool_test::Way>(Codec<int>::decode(in));
        value.where = static_cast<Where>(Codec<int>::decode(in));
        value.from_task = Codec<bool>::decode(in);
        if (value.where == Where::argument && !value.from_task) { procpool_test::go(value.way); }
        if (value.where == Where::parent && value.from_task) { procpool_test::go(value.way); }
        return value;
    }
};

namespace {

using namespace procpool_test;

Fragile return_fragile(Fragile value) {
    if (value.where == Where::task) { go(value.way); }
    value.from_task = true;
    return value;
}

/// The outcome of a task that was submitted in a callback.
std::string ending(Future<Fragile>& future) {
    try {
        static_cast<void>(future.get());
        return "value";
    } catch (const WorkerDied& death) {
        return death.exit_status().signaled() ? "killed" : "exited";
    } catch (const std::out_of_range&) { return "out_of_range"; } catch (const Error&) {
        return "error";
    } catch (...) { return "something else"; }
}

TEST_CASE("DTH-25 a task that a callback submits takes its worker down in every way") {
    Pool pool{2};
    for (const Where where : {Where::task, Where::argument, Where::result}) {
        for (const auto& [way, expected] : {std::pair{Way::crashes, "killed"}, std::pair{Way::exits, "exited"},
                                            std::pair{Way::throws, "out_of_range"}}) {
            CAPTURE(static_cast<int>(where), static_cast<int>(way));
            // Waits for it in the callback, and by another callback.
            const std::string inside = get_soon(pool.apply_async(same, 1).then([&, to = way](int) {
                Future<Fragile> inner = pool.apply_async(return_fragile, Fragile{to, where});
                return ending(inner);
            }));
            CHECK(inside == expected);
            Future<Fragile> outside = pool.apply_async(same, 1).then([&, to = way](int) {
                return pool.apply_async(return_fragile, Fragile{to, where});
            });
            CHECK(ending(outside) == expected);
            CHECK(get_soon(pool.apply_async(same, 5).then(same)) == 5);
        }
    }
}

template <class P>
void result_does_not_decode() {
    P pool{2};
    std::vector<Future<int>> others;
    for (int i = 0; i < 100; ++i) { others.push_back(pool.apply_async(same, i).then(same)); }
    for (const Way way : {Way::throws, Way::throws_number}) {
        Future<Fragile> bad = pool.apply_async(return_fragile, Fragile{way, Where::parent});
        int calls = 0;
        bad.on_done([&] { ++calls; });
        if (way == Way::throws) {
            CHECK_THROWS_AS(get_soon(bad), std::out_of_range);
        } else {
            CHECK_THROWS_AS(get_soon(bad), int);
        }
        CHECK(calls == 1);
        Future<void> continued =
            pool.apply_async(return_fragile, Fragile{way, Where::parent}).then([&](const Fragile&) { ++calls; });
        if (way == Way::throws) {
            CHECK_THROWS_AS(get_soon(continued), std::out_of_range);
        } else {
            CHECK_THROWS_AS(get_soon(continued), int);
        }
        CHECK(calls == 1);
    }
    for (int i = 0; i < 100; ++i) { CHECK(get_soon(others[static_cast<std::size_t>(i)]) == i); }
    CHECK(get_soon(pool.apply_async(same, 5).then(same)) == 5);
}
ON_EVERY_ENGINE("EXC-14 a result that does not decode in the parent costs its own future only", result_does_not_decode)

}  // namespace
