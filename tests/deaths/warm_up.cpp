// SPDX-License-Identifier: BSL-1.0
#include <procpool/log/shared_records.hpp>
#include <procpool/shm/heap.hpp>

#include "support/leak_check.hpp"

/// Makes what the library keeps for the life of the program.
void leak_check_warm_up() {
    static_cast<void>(procpool::detail::shm::Heap::of_this_process());
    static_cast<void>(procpool::detail::log::SharedRecords::ensure());
}
