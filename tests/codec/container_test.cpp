// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/container.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/round_trip.hpp"
#include "support/catch.hpp"

#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <queue>
#include <set>
#include <stack>
#include <string>
#include <unordered_map>
#include <unordered_set>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

template <class Container>
void check_same(const Container& container) {
    CHECK(round_trip(container) == container);
    CHECK(round_trip(Container{}) == Container{});
}

struct MadeFromNumber {
    explicit MadeFromNumber(int n) : number(n) {}
    int number;
    bool operator==(const MadeFromNumber&) const = default;
};
struct Backwards {
    bool operator()(const std::string& a, const std::string& b) const { return b < a; }
};

}  // namespace

template <>
inline constexpr bool procpool::enable_plain<MadeFromNumber> = true;

TEST_CASE("sequences arrive unchanged - empty ones too") {
    check_same(std::vector{1, 2, 3});
    check_same(std::vector<std::string>{"", "a", std::string("b\0c", 3)});
    check_same(std::vector<bool>{true, false, true});
    check_same(std::vector<MadeFromNumber>{MadeFromNumber(1), MadeFromNumber(2)});
    check_same(std::vector{std::pair{1, 2.0}});
    check_same(std::deque{1, 2});
    check_same(std::list<std::string>{"x", "y"});
    check_same(std::forward_list{1, 2, 3});
    check_same(std::pmr::vector<std::pmr::string>{"a", "b"});
}

TEST_CASE("associative containers arrive unchanged") {
    check_same(std::set<std::string>{"b", "a"});
    check_same(std::multiset{1, 1, 2});
    check_same(std::map<std::string, int>{{"a", 1}, {"b", 2}});
    check_same(std::multimap<int, std::string>{{1, "first"}, {1, "second"}});
    check_same(std::map<std::string, int, Backwards>{{"a", 1}, {"b", 2}});
    check_same(std::unordered_set<std::string>{"a", "b"});
    check_same(std::unordered_multiset{1, 1, 2});
    check_same(std::unordered_map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
    check_same(std::unordered_multimap<int, int>{{1, 1}, {1, 2}});
}

TEST_CASE("containers nest four deep and more") {
    check_same(std::map<int, std::vector<std::map<std::string, std::list<std::vector<bool>>>>>{
        {1, {{{"a", {{true}, {}}}}, {}}}});
}

TEST_CASE("containers of what can only be moved travel") {
    std::vector<std::unique_ptr<int>> pointers(2);
    pointers[1] = std::make_unique<int>(3);
    const auto copy = round_trip(pointers);
    REQUIRE(copy.size() == 2);
    CHECK(copy[0] == nullptr);
    CHECK(*copy[1] == 3);

    std::map<std::string, std::unique_ptr<int>> map;
    map.emplace("a", std::make_unique<int>(4));
    CHECK(*round_trip(map).at("a") == 4);
}

TEST_CASE("container adaptors arrive unchanged") {
    std::stack<int> stack;
    std::queue<std::string> queue;
    std::priority_queue<int> heap;
    for (const int n : {2, 3, 1}) {
        stack.push(n);
        queue.push(std::to_string(n));
        heap.push(n);
    }
    CHECK(round_trip(stack) == stack);
    CHECK(round_trip(queue) == queue);
    CHECK(round_trip(heap).size() == 3);
    CHECK(round_trip(heap).top() == 3);
}

TEST_CASE("containers with a comparator that has a state do not travel") {
    STATIC_REQUIRE_FALSE(Encodable<std::set<int, std::function<bool(int, int)>>>);
    STATIC_REQUIRE_FALSE(Encodable<std::set<int, bool (*)(int, int)>>);
}

TEST_CASE("a large vector takes one copy") {
    std::vector<std::uint64_t> large(1 << 20);
    large.back() = 7;
    CHECK(to_bytes(large).size() == sizeof(std::uint64_t) * (large.size() + 1));
    CHECK(round_trip(large) == large);
}
