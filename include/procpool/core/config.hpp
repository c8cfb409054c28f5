// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The two modes of the library, and how its headers and bodies are put together in each.
///
/// x.hpp has what a reader and the compiler of a user's source need: declarations, templates, one-line functions.
/// Bodies that know no type of the user's stand in x.ipp beside it, marked PROCPOOL_DECL. Header-only mode: x.hpp ends
/// with its x.ipp. Compiled mode (PROCPOOL_COMPILED, which the target procpool::compiled defines): only
/// procpool/source.hpp includes the bodies, and one source compiles them for all.

#include <procpool/core/requirements.hpp>

#if defined(PROCPOOL_SOURCE) && !defined(PROCPOOL_COMPILED)
#error "procpool: procpool/source.hpp is for the compiled mode: define PROCPOOL_COMPILED for all sources of the program"
#endif

#if defined(PROCPOOL_COMPILED)
#define PROCPOOL_DECL
#else
#define PROCPOOL_DECL inline
#endif

#if defined(PROCPOOL_COMPILED) && !defined(PROCPOOL_SOURCE)
#define PROCPOOL_BODIES 0
#else
#define PROCPOOL_BODIES 1
#endif

namespace procpool::inline v0 {

/// Makes a program with sources of both modes, which would have two of everything, fail to link: the symbol is
/// thread_local in one mode and not in the other. Remedy: let all targets link procpool::compiled, or all
/// procpool::procpool.
#if defined(PROCPOOL_COMPILED)
[[gnu::used]] inline constinit thread_local char this_program_mixes_header_only_and_compiled_sources = 0;
#else
[[gnu::used]] inline constinit char this_program_mixes_header_only_and_compiled_sources = 0;
#endif

}
