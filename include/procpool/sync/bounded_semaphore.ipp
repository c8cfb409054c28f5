// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/sync/bounded_semaphore.hpp>

#include <stdexcept>
#include <string>

namespace procpool::inline v0 {

PROCPOOL_DECL BoundedSemaphore::BoundedSemaphore(std::ptrdiff_t initial)
    : Semaphore(initial, "BoundedSemaphore"),
      bound_(static_cast<unsigned>(initial)) {
    if (initial == 0) { throw std::invalid_argument("procpool: a BoundedSemaphore has at least one permit"); }
}

PROCPOOL_DECL void BoundedSemaphore::release(unsigned n) {
    releasing_.lock_healed();  // a releaser that died with it has released, or not
    const detail::sync::HeldLock held{releasing_};
    const unsigned value = was_value();  // acquirers may make it less meanwhile
    if (n > bound_ - value) {
        throw std::logic_error("procpool: a BoundedSemaphore of " + std::to_string(bound_) +
                               " permits was released too often: " + std::to_string(value) + " were free, and " +
                               std::to_string(n) + " came back");
    }
    Semaphore::release(n);
}

}  // namespace procpool
