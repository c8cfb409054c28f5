// expect-success
// SPDX-License-Identifier: BSL-1.0
#include <procpool/memo.hpp>
#include <procpool/procpool.hpp>

#include <array>
#include <span>
#include <string>
#include <vector>

struct Holder {
    int number;
    procpool::ignore<std::string> note;
};

struct Point {
    double x;
    double y;
};

std::string returns(int x);
int takes_points(const std::array<Point, 2>& points);
int takes_holder(Holder holder);
int takes_span(std::span<const int> span);
int takes_text(const std::string& text);
int takes_many(const std::vector<int>& many, int verbosity);

void use(const procpool::Memo& memo) {
    memo(returns)(1);
    memo(takes_points)(std::array<Point, 2>{});
    memo(takes_holder)(Holder{1, {"x"}});
    const std::vector<int> numbers{1, 2};
    memo(takes_span)(std::span<const int>(numbers));
    memo(takes_many)(numbers, procpool::ignore(1));
    const auto adds = memo([n = 0](int x) { return x + n; });
    adds(1);
    procpool::Pool pool{1};
    pool.apply(memo(takes_text), "text");
    pool.map(memo(takes_text), std::vector<std::string>{"a"});
    pool.map(memo(takes_many), std::vector<std::vector<int>>{numbers}, procpool::repeat(procpool::ignore(1)));
}
