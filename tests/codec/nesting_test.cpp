// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/nesting.hpp>

#include <procpool/codec/standard.hpp>

#include "codec/on_stack.hpp"
#include "codec/thrown.hpp"
#include "support/catch.hpp"

#include <exception>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace procpool;
using namespace procpool::detail::codec;
using namespace procpool_test;

namespace {

// One shape of nesting each, with around(): a value with another nested in it, and unwrap(): replaces a value by what
// is nested in it.

struct DeepList {
    int value = 0;
    std::unique_ptr<DeepList> next;
    static DeepList around(DeepList inner) { return {1, std::make_unique<DeepList>(std::move(inner))}; }
    static bool unwrap(DeepList& list) {
        auto next = std::move(list.next);
        if (!next) { return false; }
        list = std::move(*next);
        return true;
    }
};

struct DeepTree {
    std::vector<DeepTree> children;
    static DeepTree around(DeepTree inner) {
        DeepTree outer;
        outer.children.push_back(std::move(inner));
        return outer;
    }
    static bool unwrap(DeepTree& tree) {
        if (tree.children.empty()) { return false; }
        DeepTree child = std::move(tree.children.back());
        tree = std::move(child);
        return true;
    }
};

struct DeepChoice {
    std::variant<int, std::unique_ptr<DeepChoice>> choice;
    static DeepChoice around(DeepChoice inner) { return {std::make_unique<DeepChoice>(std::move(inner))}; }
    static bool unwrap(DeepChoice& choice) {
        if (choice.choice.index() == 0) { return false; }
        auto inner = std::get<1>(std::move(choice.choice));
        choice = std::move(*inner);
        return true;
    }
};

struct DeepMap {
    std::map<int, DeepMap> inside;
    static DeepMap around(DeepMap inner) {
        DeepMap outer;
        outer.inside.emplace(1, std::move(inner));
        return outer;
    }
    static bool unwrap(DeepMap& map) {
        if (map.inside.empty()) { return false; }
        DeepMap inner = std::move(map.inside.begin()->second);
        map = std::move(inner);
        return true;
    }
};

struct DeepArchive {
    std::string text = "x";
    std::unique_ptr<DeepArchive> next;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(text, next);
    }
    static DeepArchive around(DeepArchive inner) {
        DeepArchive outer;
        outer.next = std::make_unique<DeepArchive>(std::move(inner));
        return outer;
    }
    static bool unwrap(DeepArchive& value) {
        auto next = std::move(value.next);
        if (!next) { return false; }
        value = std::move(*next);
        return true;
    }
};

/// Its Codec uses none of ours that nests.
struct DeepByHand {
    std::shared_ptr<DeepByHand> next;
    static DeepByHand around(DeepByHand inner) { return {std::make_shared<DeepByHand>(std::move(inner))}; }
    static bool unwrap(DeepByHand& value) {
        auto next = std::move(value.next);
        if (!next) { return false; }
        value = std::move(*next);
        return true;
    }
};

/// Each level is a part of its own in the bytes.
struct DeepParts {
    std::unique_ptr<DeepParts> next;
    static DeepParts around(DeepParts inner) { return {std::make_unique<DeepParts>(std::move(inner))}; }
    static bool unwrap(DeepParts& value) {
        auto next = std::move(value.next);
        if (!next) { return false; }
        value = std::move(*next);
        return true;
    }
};

template <class T>
T deep(int levels) {
    T value{};
    for (int i = 0; i != levels; ++i) { value = T::around(std::move(value)); }
    return value;
}

/// Effects: takes it apart without a recursion. Returns: how deep it was.
template <class T>
int take_apart(T& value) {
    int levels = 0;
    while (T::unwrap(value)) { ++levels; }
    return levels;
}

/// The bytes of deep<T>(levels), made where the stack suffices for anything: one level more adds the same bytes each
/// time.
template <class T>
std::vector<std::byte> deep_bytes(int levels);

/// As to_bytes(), for much.
template <class T>
std::vector<std::byte> many_bytes(const T& value) {
    std::vector<std::byte> all(100);
    const auto grow = [](void* owner, std::span<std::byte>, std::size_t, std::size_t need) {
        auto& bytes = *static_cast<std::vector<std::byte>*>(owner);
        bytes.resize(2 * need);
        return std::span(bytes);
    };
    Writer out(all, grow, &all, place);
    Codec<T>::encode(out, value);
    all.resize(out.size());
    return all;
}

std::vector<std::byte> repeated(int times, std::vector<std::byte> front, const std::vector<std::byte>& back) {
    std::vector<std::byte> all;
    all.reserve(static_cast<std::size_t>(times) * front.size() + back.size());
    for (int i = 0; i != times; ++i) { all.insert(all.end(), front.begin(), front.end()); }
    all.insert(all.end(), back.begin(), back.end());
    return all;
}

}  // namespace

template <>
struct procpool::Codec<DeepByHand> {
    static void encode(Writer& out, const DeepByHand& value) {
        Codec<unsigned char>::encode(out, value.next ? 1 : 0);
        if (value.next) { encode(out, *value.next); }
    }
    static DeepByHand decode(Reader& in) {
        if (Codec<unsigned char>::decode(in) == 0) { return {}; }
        return {std::make_shared<DeepByHand>(decode(in))};
    }
};

template <>
struct procpool::Codec<DeepParts> {
    static void encode(Writer& out, const DeepParts& value) {
        const std::size_t start = out.size();
        Codec<std::uint32_t>::encode(out, 0);
        if (value.next) { encode(out, *value.next); }
        const auto size = static_cast<std::uint32_t>(out.size() - start - sizeof(std::uint32_t));
        std::memcpy(out.buffer().data() + start, &size, sizeof size);
    }
    static DeepParts decode(Reader& in) {
        Reader part = in.take_part(Codec<std::uint32_t>::decode(in));
        if (part.remaining() == 0) { return {}; }
        return {std::make_unique<DeepParts>(decode(part))};
    }
};

namespace {

template <class T>
std::vector<std::byte> deep_bytes(int levels) {
    if constexpr (std::is_same_v<T, DeepParts>) {
        std::vector<std::byte> all(static_cast<std::size_t>(levels + 1) * sizeof(std::uint32_t));
        for (int i = 0; i <= levels; ++i) {
            const auto size = static_cast<std::uint32_t>((levels - i)) * std::uint32_t{sizeof(std::uint32_t)};
            std::memcpy(all.data() + static_cast<std::size_t>(i) * sizeof size, &size, sizeof size);
        }
        return all;
    } else {
        const auto none = to_bytes(deep<T>(0));
        auto one = to_bytes(deep<T>(1));
        one.resize(one.size() - none.size());  // the innermost comes last
        return repeated(levels, one, none);
    }
}

constexpr std::size_t small = std::size_t{256} << 10;
constexpr std::size_t usual = std::size_t{8} << 20;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int few = 5;  // their frames are many times as large
constexpr int many = 100;
#else
constexpr int few = 50;
constexpr int many = 1000;
#endif

template <class T>
void check_depth() {
    on_stack_of(small, [] {
        for (const int levels : {0, 1, few}) {
            auto copy = round_trip(deep<T>(levels));
            REQUIRE(take_apart(copy) == levels);
        }
    });
    on_stack_of(usual, [] {
        auto value = deep<T>(many);
        auto copy = round_trip(value);
        REQUIRE(take_apart(copy) == many);
        REQUIRE(many_bytes(value) == deep_bytes<T>(many));
        take_apart(value);
    });
    const auto bytes = deep_bytes<T>(300'000);
    auto value = deep<T>(300'000);
    for (const std::size_t stack : {small, usual}) {
        on_stack_of(stack, [&] {
            REQUIRE_THROWS_AS(from_bytes<T>(bytes), CodecError);
            bool refused_or_right = true;
            try {
                refused_or_right = many_bytes(value) == bytes;  // where the compiler made a loop of the recursion
            } catch (const CodecError&) {}
            REQUIRE(refused_or_right);
        });
    }
    take_apart(value);
}

/// A value that decodes at all can be destroyed in the same place. (Not where the frames of a user's Codec are much
/// smaller than those of the destructors, as DeepByHand's are with sanitizers.)
template <class T>
void check_destructor() {
    bool refused = false;
    for (int levels = 16; !refused && levels < 100'000; levels += levels / 8) {
        const auto bytes = deep_bytes<T>(levels);
        on_stack_of(small, [&] {
            try {
                static_cast<void>(from_bytes<T>(bytes));
            } catch (const CodecError&) { refused = true; }
        });
    }
    CHECK(refused);
}

}  // namespace

TEST_CASE("values nest as deeply as the stack allows and no deeper") {
    check_depth<DeepList>();
    check_depth<DeepTree>();
    check_depth<DeepChoice>();
    check_depth<DeepMap>();
    check_depth<DeepArchive>();
    check_depth<DeepByHand>();
    check_depth<DeepParts>();
}

TEST_CASE("what was decoded on a small stack can be destroyed there") {
    check_destructor<DeepList>();
    check_destructor<DeepTree>();
    check_destructor<DeepChoice>();
    check_destructor<DeepMap>();
    check_destructor<DeepArchive>();
    check_destructor<DeepParts>();
}

TEST_CASE("nested exceptions do not overflow a small stack") {
    std::exception_ptr thrown = std::make_exception_ptr(std::out_of_range("innermost"));
    std::vector<std::exception_ptr> all{thrown};  // which keeps them from being destroyed by a recursion
    for (int i = 0; i != 5000; ++i) {
        thrown = thrown_by([&] {
            try {
                std::rethrow_exception(thrown);
            } catch (...) { std::throw_with_nested(std::runtime_error("outer")); }
        });
        all.push_back(thrown);
    }
    const auto count = [](std::exception_ptr at) {
        std::size_t nested = 0;
        while ((at = nested_in(at))) { ++nested; }
        return nested;
    };
    on_stack_of(small, [&] {
        const auto copy = round_trip_thrown(thrown);
        CHECK(what_thrown(copy) == "outer");
        CHECK(count(copy) >= 50);
    });
    on_stack_of(usual, [&] { CHECK(count(round_trip_thrown(thrown)) == deepest_nesting); });
    while (!all.empty()) { all.pop_back(); }
    const std::vector<std::byte> deep_bytes_of_exceptions(5000, std::byte{1});
    on_stack_of(small, [&] {
        Reader reader(deep_bytes_of_exceptions);
        CHECK(type_thrown(decode_exception(reader)) == typeid(CodecError));
    });
}
