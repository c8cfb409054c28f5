// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Every decoder, by a number, for tests that feed them with bytes that no encoder wrote; and random values of their
/// types.

#include <procpool/codec/exception.hpp>
#include <procpool/codec/standard.hpp>
#include <procpool/codec/wire_type.hpp>

#include "codec/round_trip.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <chrono>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <regex>
#include <set>
#include <span>
#include <stack>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace procpool_test {

enum class Colour : std::uint8_t { red, green };

struct DecodedLeaf {
    int number = 0;
    bool flag = false;
    std::string text;
    std::array<std::optional<double>, 2> maybe;
};
struct DecodedTree {
    std::uint16_t number = 0;
    std::vector<DecodedTree> children;
    std::unique_ptr<DecodedTree> next;
    std::variant<std::monostate, std::string, std::list<DecodedLeaf>> choice;
};
struct DecodedWithArrays {
    int numbers[3]{};
    std::string texts[2];
};
struct DecodedArchive {
    std::string text;
    std::vector<DecodedLeaf> leaves;
    std::unique_ptr<DecodedArchive> next;
    template <class Archive>
    void serialize(Archive& archive) {
        archive(text, leaves);
        archive& next;
    }
};

/// Stands for decode_exception().
struct ThrownInTask {
    std::exception_ptr thrown;
};

using DecodedTypes = std::tuple<
    bool, int, double, Colour, std::complex<float>, std::bitset<20>, std::chrono::nanoseconds, std::string,
    std::u16string, std::wstring, std::string_view, std::filesystem::path, std::pair<int, std::string>,
    std::tuple<bool, std::string, char>, std::array<std::string, 3>, std::optional<bool>, std::optional<std::string>,
    std::unique_ptr<std::string>, std::variant<int, std::string, std::vector<int>>, std::vector<int>, std::vector<bool>,
    std::vector<std::string>, std::vector<std::tuple<>>, std::deque<std::string>, std::list<int>,
    std::forward_list<std::string>, std::set<std::string>, std::multiset<int>, std::unordered_set<std::string>,
    std::unordered_multiset<int>, std::map<std::string, int>, std::multimap<int, std::string>,
    std::unordered_map<std::string, std::vector<int>>, std::unordered_multimap<int, int>, std::stack<int>,
    std::queue<std::string>, std::priority_queue<int>, std::span<const int>, std::span<std::string>, std::span<int, 4>,
    std::span<bool>, int*, const void*, std::reference_wrapper<int>, int (*)(int), std::error_code,
    std::error_condition, procpool::detail::codec::TextArgument, DecodedLeaf, DecodedTree, DecodedWithArrays,
    DecodedArchive, ThrownInTask>;
inline constexpr std::size_t decoded_types = std::tuple_size_v<DecodedTypes>;

// ---- random values

using Generator = std::mt19937_64;

inline std::size_t up_to(Generator& random, std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random);
}

template <class T>
concept GrowsAtFront = requires(T& t, typename T::value_type v) {
    t.emplace_after(t.before_begin(), std::move(v));
};
template <class T>
concept GrowsAtEnd = requires(T& t, typename T::value_type v) {
    t.push_back(std::move(v));
};
template <class T>
concept HoldsMapped = requires {
    typename T::mapped_type;
};
template <class T>
concept TakesKeys = requires(T& t, typename T::value_type v) {
    t.insert(std::move(v));
};
template <class T>
concept TakesPushed = requires(T& t, typename T::value_type v) {
    t.push(std::move(v));
};
template <class T>
concept IsSpan = requires {
    typename T::element_type;
    T::extent;
};

template <class T>
struct AnyValue {
    static T make(Generator& random, int depth) {
        if constexpr (std::is_same_v<T, bool>) {
            return up_to(random, 1) == 1;
        } else if constexpr (std::is_arithmetic_v<T>) {
            return static_cast<T>(static_cast<std::int64_t>(up_to(random, 100'000)) - 500);
        } else if constexpr (GrowsAtFront<T>) {
            T list;
            for (std::size_t n = up_to(random, 3); n-- != 0;) {
                list.push_front(AnyValue<typename T::value_type>::make(random, depth + 1));
            }
            return list;
        } else if constexpr (HoldsMapped<T>) {
            T map;
            for (std::size_t n = up_to(random, 3); n-- != 0;) {
                auto key = AnyValue<typename T::key_type>::make(random, depth + 1);
                map.emplace(std::move(key), AnyValue<typename T::mapped_type>::make(random, depth + 1));
            }
            return map;
        } else if constexpr (GrowsAtEnd<T>) {
            T sequence;
            for (std::size_t n = up_to(random, depth > 2 ? 1 : 4); n-- != 0;) {
                sequence.push_back(AnyValue<typename T::value_type>::make(random, depth + 1));
            }
            return sequence;
        } else if constexpr (TakesKeys<T>) {
            T set;
            for (std::size_t n = up_to(random, 4); n-- != 0;) {
                set.insert(AnyValue<typename T::value_type>::make(random, depth + 1));
            }
            return set;
        } else if constexpr (TakesPushed<T>) {
            T adaptor;
            for (std::size_t n = up_to(random, 4); n-- != 0;) {
                adaptor.push(AnyValue<typename T::value_type>::make(random, depth + 1));
            }
            return adaptor;
        } else {
            return T{};
        }
    }
};
template <class T>
struct AnyValue<std::optional<T>> {
    static std::optional<T> make(Generator& random, int depth) {
        if (up_to(random, 1) == 0) { return std::nullopt; }
        return AnyValue<T>::make(random, depth + 1);
    }
};
template <class T>
struct AnyValue<std::unique_ptr<T>> {
    static std::unique_ptr<T> make(Generator& random, int depth) {
        if (depth > 3 || up_to(random, 1) == 0) { return nullptr; }
        return std::make_unique<T>(AnyValue<T>::make(random, depth + 1));
    }
};
template <class... Ts>
struct AnyValue<std::tuple<Ts...>> {
    static std::tuple<Ts...> make(Generator& random, int depth) {
        return std::tuple<Ts...>{AnyValue<Ts>::make(random, depth + 1)...};
    }
};
template <class A, class B>
struct AnyValue<std::pair<A, B>> {
    static std::pair<A, B> make(Generator& random, int depth) {
        return {AnyValue<A>::make(random, depth + 1), AnyValue<B>::make(random, depth + 1)};
    }
};
template <class T, std::size_t Count>
struct AnyValue<std::array<T, Count>> {
    static std::array<T, Count> make(Generator& random, int depth) {
        std::array<T, Count> array;
        for (T& element : array) { element = AnyValue<T>::make(random, depth + 1); }
        return array;
    }
};
template <class... Ts>
struct AnyValue<std::variant<Ts...>> {
    static std::variant<Ts...> make(Generator& random, int depth) {
        std::variant<Ts...> made;
        std::size_t at = up_to(random, sizeof...(Ts) - 1);
        ((at-- == 0 ? static_cast<void>(made.template emplace<Ts>(AnyValue<Ts>::make(random, depth + 1))) : void()),
         ...);
        return made;
    }
};
template <>
struct AnyValue<std::filesystem::path> {
    static std::filesystem::path make(Generator& random, int depth) {
        return AnyValue<std::string>::make(random, depth);
    }
};
template <>
struct AnyValue<DecodedLeaf> {
    static DecodedLeaf make(Generator& random, int depth) {
        return {
            AnyValue<int>::make(random, depth), true, AnyValue<std::string>::make(random, depth), {1.5, std::nullopt}};
    }
};
template <>
struct AnyValue<DecodedTree> {
    static DecodedTree make(Generator& random, int depth) {
        DecodedTree tree;
        if (depth < 4) {
            tree.children = AnyValue<std::vector<DecodedTree>>::make(random, depth + 1);
            tree.next = AnyValue<std::unique_ptr<DecodedTree>>::make(random, depth + 1);
        }
        tree.choice = AnyValue<decltype(tree.choice)>::make(random, depth + 1);
        return tree;
    }
};
template <>
struct AnyValue<DecodedArchive> {
    static DecodedArchive make(Generator& random, int depth) {
        DecodedArchive value;
        value.text = AnyValue<std::string>::make(random, depth);
        value.leaves = AnyValue<std::vector<DecodedLeaf>>::make(random, depth + 1);
        value.next = AnyValue<std::unique_ptr<DecodedArchive>>::make(random, depth + 1);
        return value;
    }
};

struct CategoryOfTests : std::error_category {
    [[nodiscard]] const char* name() const noexcept override { return "tests"; }
    [[nodiscard]] std::string message(int) const override { return "tested"; }
};
inline const CategoryOfTests category_of_tests;

inline const std::error_category& any_category(Generator& random) {
    const std::array<const std::error_category*, 5> categories{&std::generic_category(), &std::system_category(),
                                                               &std::iostream_category(), &std::future_category(),
                                                               &category_of_tests};
    return *categories[up_to(random, categories.size() - 1)];
}
template <>
struct AnyValue<std::error_code> {
    static std::error_code make(Generator& random, int) {
        return {static_cast<int>(up_to(random, 50)), any_category(random)};
    }
};
template <>
struct AnyValue<std::error_condition> {
    static std::error_condition make(Generator& random, int) {
        return {static_cast<int>(up_to(random, 50)), any_category(random)};
    }
};
template <>
struct AnyValue<ThrownInTask> {
    static ThrownInTask make(Generator& random, int depth) {
        const int number = static_cast<int>(up_to(random, 12));
        const auto made = [&]() -> std::exception_ptr {
            switch (up_to(random, 8)) {
                case 0: return std::make_exception_ptr(std::system_error(number, any_category(random), "file"));
                case 1:
                    return std::make_exception_ptr(
                        std::regex_error(static_cast<std::regex_constants::error_type>(number)));
                case 2:
                    return std::make_exception_ptr(
                        std::filesystem::filesystem_error("a", "b", "c", AnyValue<std::error_code>::make(random, 0)));
                case 3: return std::make_exception_ptr(std::future_error(std::future_errc::broken_promise));
                case 4:
                    return std::make_exception_ptr(
                        std::ios_base::failure("d", AnyValue<std::error_code>::make(random, 0)));
                case 5:
                    return std::make_exception_ptr(
                        procpool::WorkerDied(procpool::ExitStatus::from_signal(number), 7, "e", "f"));
                case 6: return std::make_exception_ptr(procpool::TaskTimedOut(std::chrono::seconds(number)));
                case 7: return std::make_exception_ptr(std::bad_variant_access());
                default: return std::make_exception_ptr(procpool::RemoteError("g", "h"));
            }
        }();
        if (depth > 3 || up_to(random, 1) == 0) { return {made}; }
        try {
            try {
                std::rethrow_exception(made);
            } catch (...) { std::throw_with_nested(std::runtime_error("outer")); }
        } catch (...) { return {std::current_exception()}; }
    }
};

// ---- decoding

/// Uses a value after it was decoded: calls a function of each exception and error code.
template <class T>
void use(const T& value) {
    if constexpr (std::is_same_v<T, std::error_code> || std::is_same_v<T, std::error_condition>) {
        static_cast<void>(value.message() + value.category().name());
    } else if constexpr (std::is_same_v<T, ThrownInTask>) {
        if (value.thrown == nullptr) { std::terminate(); }
        try {
            std::rethrow_exception(value.thrown);
        } catch (const std::system_error& e) {
            static_cast<void>(e.what() + e.code().message());
        } catch (const std::exception& e) { static_cast<void>(std::string(e.what())); }
    }
}

/// Effects: decodes the bytes as the type with that number, and uses it. No address in them is right. Throws: any
/// exception of decoding but CodecError.
template <std::size_t At = 0>
void decode_as_type(std::size_t number, std::span<const std::byte> bytes) {
    if constexpr (At == decoded_types) {
        static_cast<void>(bytes);
    } else if (number == At) {
        using T = std::tuple_element_t<At, DecodedTypes>;
        try {
            procpool::Reader in{bytes, procpool::detail::codec::visibility_unknown};
            if constexpr (std::is_same_v<T, ThrownInTask>) {
                use(ThrownInTask{procpool::detail::codec::decode_exception(in)});
            } else {
                use<T>(procpool::Codec<T>::decode(in));
            }
        } catch (const procpool::CodecError&) {}
    } else {
        decode_as_type<At + 1>(number, bytes);
    }
}

/// Returns: the bytes of a random value of the type with that number, or of anything where it has none that travels.
template <std::size_t At = 0>
std::vector<std::byte> encode_any(std::size_t number, Generator& random) {
    if constexpr (At == decoded_types) {
        return {};
    } else if (number == At) {
        using T = std::tuple_element_t<At, DecodedTypes>;
        Bytes bytes;
        if constexpr (std::is_same_v<T, ThrownInTask>) {
            procpool::detail::codec::encode_exception(bytes.writer, AnyValue<ThrownInTask>::make(random, 0).thrown);
            return bytes.written();
        } else if constexpr (std::is_same_v<T, DecodedWithArrays>) {
            return to_bytes(DecodedWithArrays{{1, 2, 3}, {"a", "b"}});
        } else if constexpr (IsSpan<T>) {
            std::array<std::remove_cv_t<typename T::element_type>, 4> elements{};
            return to_bytes(T(elements));
        } else if constexpr (std::is_pointer_v<T> || std::is_same_v<T, std::reference_wrapper<int>>) {
            return to_bytes(static_cast<std::uint64_t>(random()));
        } else if constexpr (std::is_same_v<T, std::string_view>) {
            return to_bytes(std::string_view("text"));
        } else if constexpr (std::is_same_v<T, procpool::detail::codec::TextArgument>) {
            return to_bytes(procpool::detail::codec::TextArgument("text"));
        } else {
            return to_bytes(AnyValue<T>::make(random, 0));
        }
    } else {
        return encode_any<At + 1>(number, random);
    }
}

}  // namespace procpool_test
