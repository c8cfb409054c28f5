// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What put() refuses, and a Ref that is used as what it is not. Compilers speak last of functions whose result types
// are written down.

class Closed {
public:
    explicit Closed(std::string s) : s_(std::move(s)) {}

private:
    std::string s_;
};
struct Job {
    std::string name;
    std::shared_ptr<double> result;
};
using procpool::Ref;

void use(procpool::Pool& pool, const Ref<int>& number) {
    // expect-error: is no range.*for one value with every item write procpool::repeat.value
    const auto first = pool.map([](int n, int m) { return n + m; }, std::vector<int>{1}, number);
    // expect-error: the items of this range hold a string_view or span, or a Ref
    static_cast<void>(pool.scatter(std::vector{number}));
    // expect-error: span
    const auto third = number.span();
    // expect-error: no match.*Ref
    const Ref<int> fourth{5};
    // expect-error: assign.*(read-only|const)
    *number = 5;
}

void put(procpool::Pool& pool, procpool::Future<int>& future, const std::string& text, std::mutex& mutex) {
    // expect-error: a std::shared_ptr cannot travel
    const auto first = pool.put(std::make_shared<int>(1));
    // expect-error: a std::shared_ptr cannot travel
    const auto second = pool.put(Job{text, {}});
    // expect-error: this type cannot travel between processes: give it a serialize
    const Ref<Closed> third = pool.put(Closed{text});
    // expect-error: elsewhere it cannot travel: pass what it gives, get.., or share.. it
    const auto fourth = pool.put(std::move(future));
    // expect-error: a pool cannot travel
    const auto fifth = pool.put(pool);
    // expect-error: a std::mutex or another lock of the standard library cannot travel
    const auto sixth = pool.put(mutex);
    // expect-error: this closure cannot travel.*bind_front
    const auto seventh = pool.put([text] { return text.size(); });
    // expect-error: an iterator, a view or a pointer-like type cannot travel
    const auto eighth = pool.put(text.begin());
    // expect-error: a Shared does not travel itself
    const auto ninth = pool.put(procpool::Shared<int>{1});
}

int twice(int n) { return 2 * n; }

void pass(procpool::Pool& pool, const Ref<std::string>& words, const Ref<std::vector<double>>& numbers,
          const Ref<int>& number) {
    // expect-error: argument 1 does not convert to the type that this function takes there, see WrongType
    const auto first = pool.apply_async(twice, words);
    // expect-error: argument 1 does not convert
    const auto second = pool.apply_async([](const Ref<long>& r) { return *r; }, number);
    // expect-error: argument 1 does not convert
    const auto third = pool.apply_async([](std::vector<double>& v) { return v.size(); }, numbers);
    // expect-error: argument 1 does not convert
    const auto fourth = pool.apply_async([](std::span<double> v) { return v.size(); }, numbers);
    // expect-error: argument 1 does not convert
    const auto fifth = pool.apply_async([](std::string_view v) { return v.size(); }, numbers);
    // expect-error: this closure cannot travel.*a struct with an operator.*procpool::bind_front
    const auto sixth = pool.apply_async([number](int n) { return n + *number; }, 1);
    // expect-error: the result of this function holds a string_view or span, or a Ref
    const auto seventh = pool.apply_async([](const Ref<std::string>& r) { return r; }, words);
    // expect-error: the result of this function holds a string_view or span, or a Ref
    const auto eighth = pool.apply_async([](std::vector<Ref<int>> all) { return all; }, std::vector{number});
}
