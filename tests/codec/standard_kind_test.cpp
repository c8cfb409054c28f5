// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/standard_kind.hpp>

#include "support/catch.hpp"

// All of these come after the header, as they may in a program.
#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <deque>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <ranges>
#include <set>
#include <stack>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

using namespace procpool::detail::codec;

namespace {

template <class... Ts>
constexpr bool all_are(StandardKind kind) {
    return ((standard_kind_v<Ts> == kind) && ...);
}

namespace std_like {
struct list {};
struct Order {
    bool (*compare)(int, int);
    bool operator()(int a, int b) const { return compare(a, b); }
};
}  // namespace std_like

struct Derived : std::list<int> {
    int more = 0;
};

}  // namespace

TEST_CASE("classes of the standard library are told by their names") {
    STATIC_REQUIRE(all_are<std::deque<int>, std::list<std::string>>(StandardKind::sequence));
    STATIC_REQUIRE(all_are<std::forward_list<int>>(StandardKind::forward_list));
    STATIC_REQUIRE(all_are<std::set<int>, std::multiset<int>, std::unordered_set<int>, std::unordered_multiset<int>>(
        StandardKind::set));
    STATIC_REQUIRE(all_are<std::map<int, int>, std::multimap<int, int>, std::unordered_map<int, int>,
                           std::unordered_multimap<int, int>>(StandardKind::map));
    STATIC_REQUIRE(all_are<std::stack<int>, std::queue<int>, std::priority_queue<int>>(StandardKind::adaptor));
    STATIC_REQUIRE(all_are<std::variant<int, char>>(StandardKind::variant));
    STATIC_REQUIRE(all_are<std::filesystem::path>(StandardKind::path));
    STATIC_REQUIRE(all_are<std::ranges::iota_view<int, int>>(StandardKind::numbers));
    STATIC_REQUIRE(all_are<std::complex<float>, std::bitset<9>, std::chrono::seconds, std::chrono::year_month_day,
                           std::chrono::sys_days, std::mt19937_64, std::normal_distribution<>, std::strong_ordering,
                           std::filesystem::file_status, std::streampos>(StandardKind::value));
}

TEST_CASE("what has a Codec by its type is of no kind and neither is what only looks like the library") {
    STATIC_REQUIRE(
        all_are<std::string, std::vector<int>, std::tuple<int>, std::pair<int, int>, std::array<int, 2>,
                std::optional<int>, std::function<void()>, std_like::list, Derived, int, int*>(StandardKind::other));
}

TEST_CASE("a container whose order has a state is of no kind") {
    STATIC_REQUIRE(all_are<std::set<int, std_like::Order>, std::map<int, int, std_like::Order>,
                           std::priority_queue<int, std::vector<int>, std_like::Order>>(StandardKind::other));
}

TEST_CASE("namespaces that libraries hide within std do not count") {
    STATIC_REQUIRE(name_in_standard("std::__cxx11::list<int>") == "list");
    STATIC_REQUIRE(name_in_standard("std::__1::map<int, std::pair<int, int> >") == "map");
    STATIC_REQUIRE(name_in_standard("std::chrono::day") == "chrono::day");
    STATIC_REQUIRE(name_in_standard("my::std::list<int>").empty());
    STATIC_REQUIRE(names_path("filesystem::__cxx11::path"));
    STATIC_REQUIRE_FALSE(names_path("filesystem::file_status"));
}
