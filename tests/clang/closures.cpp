// SPDX-License-Identifier: BSL-1.0
// Makes closures where every byte was part of an address before, so that their padding is, and sends them. Prints those
// that are refused and should not be, and the other way round. Exits with 0 if there are none.
#include <procpool/codec/callable.hpp>
#include <procpool/os/modules.hpp>

#include <array>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>

using procpool::detail::codec::Visibility;

namespace {

std::array<int, 4> shared_memory{};
int wrong = 0;

Visibility visibility_of(const void* address) {
    if (!procpool::detail::os::may_be_address(address)) { return Visibility::everywhere; }
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (at - reinterpret_cast<std::uintptr_t>(shared_memory.data()) < sizeof(shared_memory)) {
        return Visibility::shared;
    }
    if (procpool::detail::os::in_loaded_module(address)) { return Visibility::everywhere; }
    return procpool::detail::os::is_readable(address) ? Visibility::this_process : Visibility::everywhere;
}

template <class Make>
[[gnu::noinline]] bool is_refused(Make make) {
    using F = decltype(make());
    union Storage {
        Storage() noexcept {
            for (const void*& word : words) { word = this; }
        }
        ~Storage() {}
        const void* words[sizeof(F) / sizeof(void*) + 1];
        F closure;
    } storage;
    ::new (&storage.closure) F(make());
    try {
        procpool::detail::codec::check_captures(storage.closure, visibility_of);
    } catch (const procpool::CodecError&) { return true; }
    return false;
}

/// Leaves addresses in the stack that the caller uses next.
[[gnu::noinline]] void dirty_the_stack() {
    const volatile void* volatile addresses[800];
    for (auto& address : addresses) { address = addresses; }
}

template <class Make>
void check(const char* text, bool must_be_refused, Make make) {
    for (int i = 0; i != 2; ++i) {
        dirty_the_stack();
        if (is_refused(make) == must_be_refused) { continue; }
        std::printf("%s: %s\n", must_be_refused ? "accepted" : "refused", text);
        ++wrong;
    }
}

class Hidden {
public:
    explicit Hidden(int* pointer) : pointer_(pointer) {}
    int get() const { return *pointer_ + letter_; }

private:
    char letter_ = 'h';
    int* pointer_;
};
class HiddenNumber {
public:
    explicit HiddenNumber(std::uintptr_t number) : number_(number) {}
    std::uintptr_t get() const { return number_; }

private:
    char letter_ = 'h';
    std::uintptr_t number_;
};
struct Base {
    char letter;
    int* pointer;
};
struct Derived : Base {
    short number;
};
struct Bits {
    int some : 3;
    int* pointer;
};
struct Reference {
    int& number;
};
union Either {
    long number;
    int* pointer;
};
struct Opaque;
struct Counter {
    int count = 1;
    auto bound(char letter) {
        return [this, letter] { return count + letter; };
    }
};

}  // namespace

#define ACCEPTED(...) check(#__VA_ARGS__, false, [=] { return __VA_ARGS__; })
#define REFUSED(...) check(#__VA_ARGS__, true, [&] { return __VA_ARGS__; })

int main() {
    bool flag = true;
    char c = 'c';
    double d = 1;
    long double ld = 1;
    long n = 1;
    int i = 1;
    int* const p = &i;
    const auto address = reinterpret_cast<std::uintptr_t>(&i);
    const HiddenNumber hidden_number(address);
    int* const shared = shared_memory.data();
    const std::span<int> view{shared_memory};
    const char* const literal = "literal";
    int (*const function)(int) = [](int number) { return number; };
    ACCEPTED([flag, d] { return flag ? d : -d; });
    ACCEPTED([c, n] { return c + n; });
    ACCEPTED([c, n, flag] { return c + n + flag; });
    ACCEPTED([ld, c] { return ld + c; });
    ACCEPTED([address] { return address; });
    ACCEPTED([c, address, flag] { return address != 0 || flag || c == 0; });
    ACCEPTED([hidden_number] { return hidden_number.get(); });
    ACCEPTED([shared, c] { return *shared + c; });
    ACCEPTED([c, shared] { return *shared + c; });
    ACCEPTED([address, shared] { return *shared != 0 || address != 0; });
    ACCEPTED([hidden_number, shared] { return *shared != 0 || hidden_number.get() != 0; });
    ACCEPTED([view, flag] { return view[0] + flag; });
    ACCEPTED([flag, view, c] { return view[0] + flag + c; });
    ACCEPTED([literal, c] { return *literal + c; });
    ACCEPTED([c, literal, flag] { return *literal + c + flag; });
    ACCEPTED([function, c] { return function(c); });
    ACCEPTED([c, views = std::array{view, view}] { return views[0][0] + c; });
    ACCEPTED([t = std::tuple(c, n)] { return std::get<1>(t); });
    ACCEPTED([t = std::tuple(c, address)] { return std::get<1>(t); });
    ACCEPTED([t = std::pair(c, shared), flag] { return *t.second + flag; });
    ACCEPTED([o = std::optional<long>()] { return o.has_value(); });
    ACCEPTED([v = std::variant<char, long>(c)] { return v.index(); });
    ACCEPTED([z = std::complex<double>(1, 2), c] { return z.real() + c; });
    ACCEPTED([f = [c, shared] { return c + *shared; }, flag] { return f() + flag; });
    ACCEPTED(std::bind_front([](long number, char) { return number; }, n, c));

    Hidden hidden(p);
    Derived derived{{'d', p}, 1};
    Bits bits{1, p};
    const Either either{.pointer = p};
    int* pointers[2] = {p, p};
    Reference references[1] = {{i}};
    Counter counter;
    const auto on_heap = std::make_unique<int>(1);
    int* const heap = on_heap.get();
    auto* const opaque = reinterpret_cast<Opaque*>(p);
    const std::string text(100, 't');
    const std::string_view text_view = text;
    REFUSED([&i] { return i; });
    REFUSED([c, &i] { return i + c; });
    REFUSED([p] { return *p; });
    REFUSED([c, p] { return *p + c; });
    REFUSED([&p, c] { return *p + c; });
    REFUSED([heap, c] { return *heap + c; });
    REFUSED([opaque] { return opaque; });
    REFUSED([&text, c] { return text[0] + c; });
    REFUSED([text_view, c] { return text_view[0] + c; });
    REFUSED([shared, p, c] { return *shared + *p + c; });
    REFUSED([address, p] { return *p != 0 || address != 0; });
    REFUSED([ld, p, c] { return ld + *p + c; });
    REFUSED([pointers, c] { return *pointers[1] + c; });
    REFUSED([c, views = std::array{view, std::span(p, 1)}] { return views[0][0] + c; });
    REFUSED([references] { return references[0].number; });
    REFUSED([hidden, c] { return hidden.get() + c; });
    REFUSED([derived, c] { return *derived.pointer + c; });
    REFUSED([bits] { return bits.some; });
    REFUSED([either] { return either.number; });
    REFUSED([t = std::tuple(c, p)] { return *std::get<1>(t); });
    REFUSED([t = std::pair(c, p)] { return *t.second; });
    REFUSED([o = std::optional<int*>(p)] { return **o; });
    REFUSED([v = std::variant<char, int*>(p)] { return v.index(); });
    REFUSED([f = [c, &i] { return c + i; }] { return f(); });
    REFUSED(std::bind_front([](int* pointer, char) { return *pointer; }, p, c));
    REFUSED(counter.bound('b'));
    return wrong == 0 ? 0 : 1;
}
