// expect-success
// SPDX-License-Identifier: BSL-1.0
// The calls of the other cases, done right.
#include <procpool/codec/call.hpp>

#include <memory>
#include <string>
#include <vector>

struct Job {
    std::string name;
    std::vector<int> sizes;
};

template <class F, class... Args>
void send(procpool::Writer& out, const F& f, const Args&... args) {
    procpool::detail::codec::encode_call(out, f, args...);
}

class Number {  // holds no pointer, and says so
public:
    explicit Number(long n) : number_(n) {}
    long get() const { return number_; }

private:
    long number_;
};
template <>
inline constexpr bool procpool::enable_plain<Number> = true;

int add(int a, int b) { return a + b; }

void use(procpool::Writer& out) {
    send(out, add, 1, 2);
    send(
        out, [](const Job& job, std::unique_ptr<int>) { return job; }, Job{}, std::make_unique<int>(1));
    const int captured = 1;
    send(
        out, [captured](const std::string& text) { return text.size() + captured; }, "text");
    send(
        out, [](std::string_view text) { return std::vector{std::string(text)}; }, "text");
    send(
        out, [](Number number) { return std::vector{number}; }, Number(1));
    send(
        out, [](int (*f)(int, int)) { return f; }, add);
}
