// SPDX-License-Identifier: BSL-1.0
#include <procpool/log/shared_records.hpp>
#include <procpool/shm/heap.hpp>

#include "leak_check.hpp"

/// Makes the objects that the library keeps for the life of the program: the program heap, the log's shared records and
/// the process token.
void leak_check_warm_up() {
    static_cast<void>(procpool::detail::shm::Heap::of_this_process());
    static_cast<void>(procpool::detail::log::SharedRecords::ensure());
}
