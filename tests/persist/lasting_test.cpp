// SPDX-License-Identifier: BSL-1.0
#include <procpool/persist/lasting.hpp>

#include "support/catch.hpp"

#include <procpool/codec/bind_front.hpp>
#include <procpool/codec/standard.hpp>
#include <procpool/core/error.hpp>

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <typeindex>
#include <variant>
#include <vector>

using namespace procpool;
using namespace procpool::detail;
using persist::may_hold_address;

namespace {

struct Plain {
    int a;
    double b;
};
struct Deep {
    std::map<std::string, std::vector<std::optional<Plain>>> all;
    std::variant<int, std::tuple<char, std::string>> some;
};
struct Pointing {
    std::vector<std::pair<int, const int*>> all;
};
struct Tree {
    std::vector<Tree> children;
};

static_assert(!may_hold_address<void>() && !may_hold_address<int>() && !may_hold_address<std::string>());
static_assert(!may_hold_address<Plain>() && !may_hold_address<Deep>() && !may_hold_address<Tree>());
static_assert(may_hold_address<int*>() && may_hold_address<int (*)(int)>() && may_hold_address<int Plain::*>());
static_assert(may_hold_address<std::span<int>>() && may_hold_address<std::reference_wrapper<int>>());
static_assert(may_hold_address<Pointing>() && may_hold_address<std::type_index>());

int one(int x) { return x; }
int other(int x) { return -x; }

template <class F>
std::string known(const F& f, bool by_version = false) {
    std::vector<std::byte> bytes;
    Writer out{bytes, codec::grow_vector, &bytes, persist::visibility_in_another_run};
    persist::write_known(out, f, by_version);
    return {reinterpret_cast<const char*>(bytes.data()), out.size()};
}

TEST_CASE("lasting: a function is known by its place in the build or by its symbol") {
    CHECK(known(one) != known(other));
    CHECK(known(&one).find("build ") != std::string::npos);
    CHECK(known(&one, true).find("build ") == std::string::npos);
    CHECK(known(&one, true) != known(&other, true));
    CHECK(known(&one, true).find("one") != std::string::npos);
}

TEST_CASE("lasting: a closure is known by what it has captured") {
    const auto adds = [](int k, double d) { return [k, d](int x) { return x + k + static_cast<int>(d); }; };
    CHECK(known(adds(2, 1.5)) == known(adds(2, 1.5)));  // whatever is between k and d
    CHECK(known(adds(2, 1.5)) != known(adds(3, 1.5)));
    CHECK(known([](int x) { return x; }).empty());
    CHECK(known(procpool::bind_front([](const std::string& s, int x) { return s + std::to_string(x); },
                                     std::string("a"))) !=
          known(procpool::bind_front([](const std::string& s, int x) { return s + std::to_string(x); },
                                     std::string("b"))));
}

TEST_CASE("lasting: addresses that a closure has captured are names or nothing") {
    static int anything = 5;
    const auto heap = std::make_unique<int>(7);
    const auto uses = [](int* p) { return codec::Snapshot([p](int x) { return x + *p; }); };
    CHECK(known(uses(&anything)) == known(uses(&anything)));  // a static has a name
    CHECK_THROWS_AS(known(uses(heap.get())), CodecError);
    const auto again = std::make_unique<int>(7);
    CHECK(known(uses(heap.get()), true) == known(uses(again.get()), true));
    CHECK(known(uses(heap.get()), true) != known(uses(&anything), true));
}

TEST_CASE("lasting: many bytes have checksums in their place") {
    std::vector<std::byte> bytes(1024);
    CHECK(persist::text_of_function(bytes).size() == 1024);
    bytes.resize(1'000'000);
    const std::string text = persist::text_of_function(bytes);
    CHECK(text.starts_with("1000000 bytes"));
    bytes[999'999] = std::byte{1};
    CHECK(persist::text_of_function(bytes) != text);
}

}  // namespace
