// expect-errors
// SPDX-License-Identifier: BSL-1.0
// Types that do not travel, as argument, result or function. Each gives one error, which says what to write.
#include <procpool/procpool.hpp>

#include <any>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
};
class Closed {
public:
    explicit Closed(std::string s) : s_(std::move(s)) {}
    std::size_t operator()() const { return s_.size(); }

private:
    std::string s_;
};
struct Job {
    std::string name;
    std::shared_ptr<double> result;
    void operator()() const {}
};
namespace Eigen {
class Matrix {
    std::vector<double> coefficients_;
};
}  // namespace Eigen
namespace nlohmann {
class Value {
    std::string text_;
};
}  // namespace nlohmann
void use(procpool::Pool& pool, const std::string& text, const procpool::Shared<int>& shared,
         const std::function<int(int)>& function) {
    // expect-error: a std::shared_ptr cannot travel
    pool.apply([](const std::shared_ptr<int>& p) { return *p; }, std::make_shared<int>(1));
    // expect-error: a std::any cannot travel.*use a std::variant
    pool.apply([](const std::any& a) { return a.has_value(); }, std::any{1});
    // expect-error: a std::unique_ptr to a base class cannot travel
    pool.apply([](std::unique_ptr<Shape> s) { return s->area(); }, std::unique_ptr<Shape>{});
    // expect-error: a std::function cannot travel
    pool.apply([](const std::vector<std::function<void()>>& all) { return all.size(); },
               std::vector<std::function<void()>>{});
    // expect-error: a Shared does not travel itself: pass std::ref
    pool.apply([](const procpool::Shared<int>& s) { return *s; }, shared);
    // expect-error: a pool cannot travel
    pool.apply([](const procpool::Pool& p) { return p.size(); }, pool);
    // expect-error: a Future cannot travel
    pool.apply([](procpool::Future<int> f) { return f.get(); }, procpool::Future<int>{});
    // expect-error: Eigen.s matrices and arrays travel once procpool/eigen.hpp is included
    pool.apply([](int) { return Eigen::Matrix{}; }, 1);
    // expect-error: nlohmann::json travels once procpool/json.hpp is included
    pool.apply([](const nlohmann::Value&) {}, nlohmann::Value{});
    // expect-error: this closure cannot travel.*Write procpool::bind_front
    pool.apply([text](int n) { return text.size() + static_cast<std::size_t>(n); }, 1);
    // expect-error: this closure cannot travel.*Write procpool::bind_front
    pool.apply([p = std::make_unique<int>(3)] { return *p; });
    // expect-error: a std::function cannot travel.*bind_front
    pool.apply(function, 1);
    // expect-error: a std::bind.. holds what cannot travel.*bind_front
    pool.apply(std::bind([](const std::string& s) { return s.size(); }, text));
    // expect-error: this function object cannot travel: make it an aggregate
    pool.apply(Closed{text});
    // expect-error: a std::shared_ptr cannot travel
    pool.apply(Job{text, {}});
}
