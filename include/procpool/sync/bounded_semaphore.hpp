// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// BoundedSemaphore: a Semaphore that notices when more permits come back than there were.

#include <procpool/core/config.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/robust_lock.hpp>
#include <procpool/sync/semaphore.hpp>

#include <cstddef>

namespace procpool::inline v0 {

/// A Semaphore that never has more permits than at first.
class BoundedSemaphore : private Semaphore {
public:
    using Semaphore::most;

    /// Throws: as Semaphore's constructor, and std::invalid_argument for no permits.
    explicit BoundedSemaphore(std::ptrdiff_t initial);
    PROCPOOL_UNCOPIED(BoundedSemaphore, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a BoundedSemaphore is not copied: capture or pass its address")
    ~BoundedSemaphore() = default;

    /// As of Semaphore, but throws std::logic_error also when there would be more permits than at first.
    void release(unsigned n = 1);

    using Semaphore::acquire;
    using Semaphore::try_acquire;
    using Semaphore::try_acquire_for;
    using Semaphore::try_acquire_until;
    using Semaphore::was_value;

private:
    unsigned bound_;
    alignas(detail::apart) detail::sync::RobustLock
        releasing_;  // held from the look at the count until the permits are there
};

template <>
inline constexpr bool enable_shared<BoundedSemaphore> = true;

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/sync/bounded_semaphore.ipp>
#endif
