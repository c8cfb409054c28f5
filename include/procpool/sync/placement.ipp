// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/memory_mark.hpp>
#include <procpool/shm/heap.hpp>
#include <procpool/sync/member.hpp>
#include <procpool/sync/placement.hpp>

#include <stdexcept>
#include <string>

namespace procpool::inline v0::detail::sync {

PROCPOOL_DECL void require_shared_memory(const void* object, const char* what) {
    Members::prepare();
    if (shm::is_shared_with_children(object) || os::is_in_shared_mapping(object)) { return; }
    throw std::logic_error(std::string{*what == 'E' ? "procpool: an " : "procpool: a "} + what +
                           " in memory that only this process has is another one "
                           "in each process: write Shared<" +
                           what + ">, or make it a member of what is Shared");
}

PROCPOOL_DECL void require_program_heap(const void* object, const char* what) {
    require_shared_memory(object, what);
    if (shm::is_shared_with_children(object)) { return; }
    throw std::logic_error(std::string{*what == 'E' ? "procpool: an " : "procpool: a "} + what +
                           " does not work in a mapping of your own: write Shared<" + what +
                           ">, or make it a member of what is Shared");
}

}  // namespace procpool::detail::sync
