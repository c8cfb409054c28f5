// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The set-ups that procpool supports: any other gets one error that says what is needed.

#if !defined(__linux__)
#define PROCPOOL_UNSUPPORTED
#error "procpool: needs Linux, whose futexes, pidfds and shared mappings it is built on"
#elif !defined(__LP64__)
#define PROCPOOL_UNSUPPORTED
#error "procpool: needs 64 bits: it reserves more address space than 32 have (compile without -m32 and -mx32)"
#elif !defined(__cplusplus) || __cplusplus < 202002L
#define PROCPOOL_UNSUPPORTED
#error "procpool: needs C++20 or later (compile with -std=c++20)"
#elif !defined(__cpp_rtti)
#define PROCPOOL_UNSUPPORTED
#error "procpool: needs RTTI: exceptions and tasks travel by their types (compile without -fno-rtti)"
#elif !defined(__cpp_exceptions)
#define PROCPOOL_UNSUPPORTED
#error "procpool: needs exceptions: tasks report their errors by them (compile without -fno-exceptions)"
#endif

#if defined(PROCPOOL_UNSUPPORTED)
#include <procpool_stops_here__see_the_error_above>  // a file that is missing ends the compilation; #error does not
#endif
