// expect-errors
// SPDX-License-Identifier: BSL-1.0
// Types that do not travel, as argument, result or function. Each gives one error, which says what to write.
#include <procpool/procpool.hpp>

#include <any>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
};
struct Circle : Shape {
    double radius = 0;
    double area() const override { return radius * radius; }
};
struct Locked {
    std::mutex mutex;
    int value = 0;
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
         const procpool::Shared<procpool::Mutex>& mutex, const std::function<int(int)>& function) {
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
    // expect-error: what processes share, as a Mutex, does not travel itself: pass std::ref.object. or its address
    pool.apply([](procpool::Mutex& m) { m.lock(); }, *mutex);
    // expect-error: a pool cannot travel
    pool.apply([](const procpool::Pool& p) { return p.size(); }, pool);
    // expect-error: futures within a value are not waited for
    pool.apply([](const std::vector<procpool::Future<int>>& all) { return all.size(); },
               std::vector<procpool::Future<int>>{});
    // expect-error: Eigen.s matrices and arrays travel once procpool/eigen.hpp is included
    pool.apply([](int) { return Eigen::Matrix{}; }, 1);
    // expect-error: nlohmann::json travels once procpool/json.hpp is included
    pool.apply([](const nlohmann::Value&) {}, nlohmann::Value{});
    // expect-error: this closure cannot travel: it captured a string.*a struct with an operator.*procpool::bind_front
    pool.apply([text](int n) { return text.size() + static_cast<std::size_t>(n); }, 1);
    // expect-error: this closure cannot travel: it captured what can only be moved.*bind_front.f, std::move.pointer..
    pool.apply([p = std::make_unique<int>(3)] { return *p; });
    // expect-error: this closure cannot travel: it captured what can only be moved.*of a Future what it gives|captured a string
    pool.apply([f = procpool::Future<int>{}]() mutable { return f.get(); });
    // expect-error: this closure cannot travel: it captured what can only be moved.*of a SharedArray capture the span|captured a string
    pool.apply([a = procpool::SharedArray<int>{1}] { return a[0]; });
    // expect-error: this closure cannot travel: it captured what can only be moved.*a pool stays where it is|captured a string
    pool.apply([p = procpool::Pool{1}] { return p.size(); });
    // expect-error: this closure cannot travel between processes: it captured a string
    pool.apply([](const auto& f) { return f(); }, [text] { return text.size(); });
    // expect-error: a std::function cannot travel.*bind_front
    pool.apply(function, 1);
    // expect-error: a std::function cannot travel, nor its like
    pool.apply(std::packaged_task<void()>{});
    // expect-error: a std::mutex or another lock of the standard library cannot travel
    pool.apply([](const Locked& l) { return l.value; }, Locked{});
    // expect-error: a std::atomic cannot travel.*procpool::Shared<std::atomic<int>>
    pool.apply([](const std::atomic<int>& n) { return n.load(); }, std::atomic<int>{1});
    // expect-error: a thread, future or promise of the standard library cannot travel
    pool.apply([](std::future<int> f) { return f.get(); }, std::future<int>{});
    // expect-error: this type cannot travel between processes.*public members, no constructors, no virtual functions
    pool.apply([](const Circle& c) { return c.area(); }, Circle{});
    // expect-error: this type cannot travel between processes
    pool.apply([](const Closed& c) { return c(); }, Closed{text});
    // expect-error: the result of this function holds a string_view or span.*return std::string or std::vector
    pool.apply([](const std::string& s) { return std::optional<std::string_view>{s}; }, text);
    // expect-error: a std::shared_ptr cannot travel.*pass or return the object itself
    pool.apply([](int n) { return std::make_shared<char>(n); }, 1);
    // expect-error: a std::bind.. holds what cannot travel.*bind_front
    pool.apply(std::bind([](const std::string& s) { return s.size(); }, text));
    // expect-error: this function object cannot travel: make it an aggregate
    pool.apply(Closed{text});
    // expect-error: a std::shared_ptr cannot travel
    pool.apply(Job{text, {}});
}
