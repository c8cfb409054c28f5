// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// standard_kind_v<T>: the kind of a class of the standard library, found by its name, so that its header need not be
/// included here, and may be included after this one.

#include <procpool/core/type_text.hpp>

#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::codec {

enum class StandardKind {
    other,         ///< nothing of what follows, or known by its type
    value,         ///< its bytes are everything if those of its parts are
    numbers,       ///< std::ranges::iota_view, which refers to nothing, though its iterators may outlive it
    sequence,      ///< a container that grows at its end
    forward_list,  ///< a container that grows behind any of its elements
    set,           ///< a container of keys
    map,           ///< a container of keys and what belongs to them
    adaptor,       ///< std::stack, std::queue, std::priority_queue
    variant,       ///< std::variant
    path           ///< std::filesystem::path
};

/// Returns: a name without the namespaces before it that begin with two underscores, which libraries keep within std.
consteval std::string_view without_hidden_namespaces(std::string_view name) {
    while (name.starts_with("__")) {
        const std::size_t inner = name.find("::");
        if (inner == std::string_view::npos) { return {}; }
        name.remove_prefix(inner + 2);
    }
    return name;
}

/// Returns: the name of a class of the standard library as programs write it, without `std::` and arguments; empty for
/// others.
consteval std::string_view name_in_standard(std::string_view type) {
    if (!type.starts_with("std::")) { return {}; }
    return without_hidden_namespaces(type.substr(5, type.find('<') - 5));
}

template <class... Names>
consteval bool is_one_of(std::string_view name, Names... names) {
    return ((name == names) || ...);
}

consteval bool names_path(std::string_view name) {
    return name.starts_with("filesystem::") && without_hidden_namespaces(name.substr(12)) == "path";
}

consteval bool names_value(std::string_view name) {
    if (name.starts_with("chrono::")) {
        name.remove_prefix(8);
        return is_one_of(name, "duration", "time_point", "hh_mm_ss", "day", "month", "year", "weekday",
                         "weekday_indexed", "weekday_last", "month_day", "month_day_last", "month_weekday",
                         "month_weekday_last", "year_month", "year_month_day", "year_month_day_last",
                         "year_month_weekday", "year_month_weekday_last");
    }
    return is_one_of(name, "complex", "bitset", "fpos", "partial_ordering", "weak_ordering", "strong_ordering",
                     "filesystem::file_status") ||
           name.ends_with("_engine") || name.ends_with("_distribution");  // of <random>
}

/// A comparator or hash that is the same wherever it is made.
template <class T>
concept Stateless = std::is_empty_v<T> && std::is_default_constructible_v<T>;

/// Whether a container's order, or hash and equality, if it has them, are Stateless.
template <class T>
consteval bool has_stateless_order() {
    if constexpr (requires { typename T::key_compare; }) {
        return Stateless<typename T::key_compare>;
    } else if constexpr (requires {
                             typename T::hasher;
                             typename T::key_equal;
                         }) {
        return Stateless<typename T::hasher> && Stateless<typename T::key_equal>;
    } else if constexpr (requires { typename T::value_compare; }) {
        return Stateless<typename T::value_compare>;
    } else {
        return true;
    }
}

template <class T>
consteval StandardKind find_standard_kind() {
    if constexpr (!std::is_class_v<T>) {
        return StandardKind::other;
    } else {
        constexpr std::string_view name = name_in_standard(type_text<T>());
        if constexpr (name.empty() || is_one_of(name, "basic_string", "vector", "tuple", "pair", "array")) {
            return StandardKind::other;
        } else if constexpr (is_one_of(name, "deque", "list")) {
            return StandardKind::sequence;
        } else if constexpr (name == "forward_list") {
            return StandardKind::forward_list;
        } else if constexpr (is_one_of(name, "set", "multiset", "unordered_set", "unordered_multiset")) {
            return has_stateless_order<T>() ? StandardKind::set : StandardKind::other;
        } else if constexpr (is_one_of(name, "map", "multimap", "unordered_map", "unordered_multimap")) {
            return has_stateless_order<T>() ? StandardKind::map : StandardKind::other;
        } else if constexpr (is_one_of(name, "stack", "queue", "priority_queue")) {
            return has_stateless_order<T>() ? StandardKind::adaptor : StandardKind::other;
        } else if constexpr (name == "variant") {
            return StandardKind::variant;
        } else if constexpr (names_path(name)) {
            return StandardKind::path;
        } else if constexpr (name == "ranges::iota_view") {
            return StandardKind::numbers;
        } else {
            return names_value(name) ? StandardKind::value : StandardKind::other;
        }
    }
}

template <class T>
inline constexpr StandardKind standard_kind_v = find_standard_kind<T>();

/// A value type of the standard library that is no aggregate.
template <class T>
concept StandardValue = std::is_class_v<T> && !std::is_aggregate_v<T> && (standard_kind_v<T> == StandardKind::value);

}  // namespace procpool::detail::codec
