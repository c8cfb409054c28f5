// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// type_text(): a type's name while a program is compiled, as GCC or Clang writes it, and facts that only the name
/// holds.

#include <cstddef>
#include <string_view>
#include <type_traits>

namespace procpool::inline v0::detail {

template <class T>
consteval const char* signature_text() {
    return __PRETTY_FUNCTION__;  // "... signature_text() [with T = int]", or "[T = int]"
}

/// Returns: T's name.
template <class T>
consteval std::string_view type_text() {
    const std::string_view all = signature_text<T>();
    const std::size_t first = all.find("T = ") + 4;
    return all.substr(first, all.size() - first - 1);
}

/// Whether `name` ends in "<lambda(int)>", as GCC calls closure types, with nothing of a template before it.
consteval bool is_closure_of_gcc(std::string_view name) {
    if (!name.ends_with('>')) { return false; }
    std::size_t depth = 0;
    for (std::size_t at = name.size(); at-- != 0;) {
        if (name[at] == '>' && at != 0 && name[at - 1] != '-') { ++depth; }
        if (name[at] == '<' && --depth == 0) {
            return name.substr(at).starts_with("<lambda(") && (at == 0 || name[at - 1] == ':');
        }
    }
    return false;
}

/// Whether `name` ends in "(lambda at file.cpp:1:2)", as Clang calls closure types.
consteval bool is_closure_of_clang(std::string_view name) {
    const std::size_t at = name.rfind("(lambda at ");
    return name.ends_with(')') && at != std::string_view::npos &&
           name.find("(unnamed ", at) == std::string_view::npos &&
           name.find("(anonymous ", at) == std::string_view::npos;
}

/// T is the type of a lambda expression. The language has no trait for that, so the name decides.
template <class T>
inline constexpr bool is_closure_v = false;
template <class T>
requires(std::is_class_v<T> &&
         !std::is_aggregate_v<T>) inline constexpr bool is_closure_v<T> = is_closure_of_gcc(type_text<T>()) ||
                                                                          is_closure_of_clang(type_text<T>());

/// A union without a name, and so perhaps without a name of the member that it is.
template <class T>
inline constexpr bool is_unnamed_union_v = false;
template <class T>
requires std::is_union_v<T>
inline constexpr bool is_unnamed_union_v<T> = type_text<T>().ends_with("<unnamed union>") ||
                                              type_text<T>().find("(unnamed union at ") != std::string_view::npos ||
                                              type_text<T>().find("(anonymous union at ") != std::string_view::npos;

}  // namespace procpool::detail
