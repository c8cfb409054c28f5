// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Overloads that answer a call given an overload set or a function template, whose type cannot be deduced.

#include <procpool/codec/mistake.hpp>

namespace procpool::inline v0::detail::codec {

// Chosen where no other overload can be, since it takes anything. Each compiler then says something before it looks
// at the arguments: Clang what the function asserts, GCC that it is deleted, with its signature.
struct this_name_stands_for_several_functions_or_is_a_template__or_the_braces_are_no_options_of_this_call {};
struct write_a_lambda_that_calls_it_or_static_cast_it__or_mend_the_options_names_order_and_types_as_in_timeout_5s {};

// clang-format off
#if defined(__clang__)
#define PROCPOOL_REFUSE_OVERLOAD_SET(call)                                                                                                             \
    template <class Nothing = void>                                                                                                                   \
    auto call(...) {                                                                                                                                  \
        static_assert(::procpool::detail::codec::never<Nothing>, "procpool: this call needs one function: an overload set or a function template was given (or nothing, or "     \
                                      "braces that are no options of this call: mend their names, order and types, {.timeout = 5s}): write a lambda that calls it, "  \
                                      "[](auto&&... args) { return f(args...); }, or say which one it is: static_cast<int (*)(int)>(f), f<int>");                                                       \
    }
#else
#define PROCPOOL_REFUSE_OVERLOAD_SET(call)                                                                                                             \
    template <class Mistake = ::procpool::detail::codec::this_name_stands_for_several_functions_or_is_a_template__or_the_braces_are_no_options_of_this_call,                                                    \
              class Remedy = ::procpool::detail::codec::write_a_lambda_that_calls_it_or_static_cast_it__or_mend_the_options_names_order_and_types_as_in_timeout_5s>                                           \
    void call(...) = delete;
#endif
// clang-format on

/// The overloads of a pool's calls.
class RefusesOverloadSets {
public:
    PROCPOOL_REFUSE_OVERLOAD_SET(apply)
    PROCPOOL_REFUSE_OVERLOAD_SET(apply_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(try_apply_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(map)
    PROCPOOL_REFUSE_OVERLOAD_SET(starmap)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(starmap_async)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_outcomes)
    PROCPOOL_REFUSE_OVERLOAD_SET(for_each)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_into)
    PROCPOOL_REFUSE_OVERLOAD_SET(imap)
    PROCPOOL_REFUSE_OVERLOAD_SET(imap_unordered)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_reduce)
    PROCPOOL_REFUSE_OVERLOAD_SET(map_reduce_by_key)
    PROCPOOL_REFUSE_OVERLOAD_SET(broadcast)
};

}  // namespace procpool::detail::codec
