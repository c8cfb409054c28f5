// expect-success
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// As ref_mistakes.cpp, without the mistakes.

using procpool::Ref;

int twice(int n) { return 2 * n; }

void use(procpool::Pool& pool, const procpool::SharedFuture<int>& future, const std::string& text,
         const Ref<std::string>& words, const Ref<std::vector<double>>& numbers, const Ref<int>& number) {
    const Ref<std::unique_ptr<int>> first = pool.put(std::make_unique<int>(1));
    const Ref<std::vector<std::string>> second = pool.put(std::span{&text, 1});
    const Ref<int> third = pool.put(future);
    const Ref<int (*)(int)> fourth = pool.put(twice);
    const auto fifth = pool.apply_async(twice, number);
    const auto sixth = pool.apply_async([](const Ref<int>& r) { return *r; }, number);
    const auto seventh = pool.apply_async([](std::vector<double> v) { return v.size(); }, numbers);
    const auto eighth = pool.apply_async([](std::span<const double> v) { return v.size(); }, numbers);
    const auto ninth = pool.apply_async([](std::string_view v) { return v.size(); }, words);
    const auto tenth = pool.map([](int n, int m) { return n + m; }, std::vector<int>{1}, procpool::repeat(number));
    const auto eleventh = pool.apply_async(procpool::bind_front([](int m, int n) { return n + m; }, number), 1);
    const auto twelfth = pool.apply_async([](const Ref<std::string>& r) { return *r; }, words);
    const std::span<const double> elements = numbers.span();
    static_cast<void>(elements);
}
