// expect: procpool: this type is not made without arguments: give them, as in Shared<Semaphore> slots.4.
// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>
#include <procpool/sync/semaphore.hpp>

const procpool::Shared<procpool::Semaphore> slots;
