// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// start_holder(): a child that holds something, a lock for example, until it is killed.

#include "os/in_child.hpp"
#include "support/events.hpp"

#include <sys/types.h>
#include <unistd.h>

namespace procpool_test {

/// Returns: the process number of a child that has run take() to its end and lives until it is killed, with what take()
/// returned.
template <class Take>
pid_t start_holder(Take take) {
    SharedPage page;
    const Gate held{page};
    const pid_t child = start_child([&] {
        [[maybe_unused]] const auto holds = take();
        held.set();
        for (;;) { ::pause(); }
        return 0;
    });
    held.wait();
    return child;
}

}  // namespace procpool_test
