// SPDX-License-Identifier: BSL-1.0
// serve() of a build without Boost.Beast.

#include "serve.hpp"

#include <fmt/core.h>

#include <cstdio>

namespace procpool_top {

int serve(std::string_view, const Source&) {
    fmt::print(stderr,
               "procpool-top: --serve is left out of this build: it needs the headers of Boost 1.77 or later "
               "(Debian: libboost1.81-dev, Ubuntu: libboost-dev)\n");
    return 2;
}

}  // namespace procpool_top
