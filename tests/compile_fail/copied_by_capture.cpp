// expect-errors
// besides: cannot travel
// SPDX-License-Identifier: BSL-1.0
#include <procpool/procpool.hpp>

void use(procpool::Pool& pool, const procpool::Future<int>& future) {
    const procpool::SharedArray<int> array{10};
    const procpool::Shared<int> shared{1};
    // expect-error: a.SharedArray.is.not.copied.*capture.its.span
    const auto first = [array] { return array[0]; };
    // expect-error: a.Shared.is.not.copied.*capture.*get
    const auto second = [shared] { return *shared; };
    // expect-error: a.pool.is.not.copied.*move.it
    const auto third = [pool] { return pool.size(); };
    // expect-error: a.Future.is.not.copied.*move.it
    const procpool::Future<int> fourth = future;
}
