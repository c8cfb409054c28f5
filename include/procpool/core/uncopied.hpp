// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PROCPOOL_UNCOPIED: a missing copy constructor whose error says what to write instead.

// A deleted function cannot give its reason yet (C++26), but Clang gives that of an unavailable one, and GCC the
// parameters of a deleted one. Remedy: a class whose name says it.
#if defined(__clang__)
#define PROCPOOL_UNCOPIED(Class, Remedy, text) __attribute__((unavailable(text))) Class(const Class&);
#else
#define PROCPOOL_UNCOPIED(Class, Remedy, text) Class(const Class&, Remedy = {}) = delete;
#endif

namespace procpool::inline v0 {

struct a_SharedArray_is_not_copied__capture_its_span_or_pass_it_as_an_argument {};
struct a_Shared_is_not_copied__capture_its_get_or_pass_std_ref {};
struct it_is_not_copied__capture_or_pass_its_address {};
struct a_Future_is_not_copied__move_it {};
struct a_Memo_is_not_copied__capture_or_pass_its_functions {};
struct an_actor_is_not_copied__move_it_or_pass_its_ref {};
struct a_pool_is_not_copied__move_it_or_pass_it_by_reference__tasks_cannot_have_it {};

}  // namespace procpool
