// SPDX-License-Identifier: BSL-1.0
// The headers compile behind those of Qt and X11, whose macros have names like these.
#include <future>  // the standard library's own headers come first, as they do in such programs
#include <ranges>

#define slots
#define signals public
#define emit
#define foreach(a, b) for (a : b)
#define forever for (;;)
#define Always 2
#define Bool int
#define False 0
#define None 0L
#define Status int
#define Success 0
#define True 1
#define Unsorted 0

#include "foreign/all.hpp"
