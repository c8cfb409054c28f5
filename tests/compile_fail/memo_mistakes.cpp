// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/memo.hpp>
#include <procpool/procpool.hpp>

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct Holder {
    int number;
    const int* address;
};
struct Address {
    const short* address;
};
union Either {
    char letter;
    int number;
};
struct WithUnion {
    int number;
    Either either;
};

void prints(int x);
const std::string& refers(int x);
int* points(int x);
std::span<int> views(int x);
int takes_holder(Holder holder);
int takes_span(std::span<int> span);
int takes_pointer(const int* pointer);
int takes_pointers(const std::vector<const long*>& pointers);
int takes_holders(const std::array<Address, 2>& holders);
int takes_union(WithUnion with);
int takes_text(const std::string& text);
int takes_random(int x, procpool::Random& random);

void use(const procpool::Memo& memo, const std::string& text) {
    // expect-error: this function object changes itself when it is called: take `mutable` away
    const auto counts = memo([n = 0](int x) mutable { return x + ++n; });
    // expect-error: this closure cannot travel
    const auto captured = memo([text](int x) { return text.size() + static_cast<std::size_t>(x); });
    // expect-error: a memo keeps what a function computes from its arguments, and this one also takes random
    memo(takes_random);
    // expect-error: a memo keeps results, and this function returns nothing
    memo(prints)(1);
    // expect-error: a memo cannot keep a reference
    memo(refers)(1);
    // expect-error: a memo cannot keep a result that holds a pointer
    memo(points)(1);
    // expect-error: a memo cannot keep a result that holds a pointer
    memo(views)(1);
    int number = 1;
    std::vector<int> numbers{1, 2};
    // expect-error: a memo cannot look up results of a snapshot
    const auto remembered = memo(procpool::snapshot([&number](int x) { return x + number; }));
    procpool::Pool pool{1};
    // expect-error: too few arguments for this function, which takes 1
    pool.apply(memo(takes_text));
    // expect-error: argument 1 does not convert to the type that this function takes there
    pool.apply(memo(takes_text), 5);
    // expect-error: a memo cannot look up results by a pointer, reference or view
    memo(takes_holder)(Holder{1, nullptr});
    // expect-error: a memo cannot look up results by a pointer, reference or view
    memo(takes_span)(std::span<int>(numbers));
    // expect-error: a memo cannot look up results by a pointer, reference or view
    memo(takes_pointer)(&number);
    // expect-error: a memo cannot look up results by this type, whose bytes may differ where values are equal
    memo(takes_union)(WithUnion{1, {.number = 2}});
    // expect-error: a memo cannot look up results by a pointer, reference or view
    memo(takes_pointers)(std::vector<const long*>{});
    // expect-error: a memo cannot look up results by a pointer, reference or view
    memo(takes_holders)(std::array<Address, 2>{});
}
