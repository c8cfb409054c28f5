// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared_arguments.hpp>

#include "support/catch.hpp"

#include <span>
#include <type_traits>

using namespace procpool;
using namespace procpool::detail::codec;

TEST_CASE("a shared array travels as a span of itself") {
    static_assert(std::is_same_v<wire_type<SharedArray<int>>::type, std::span<int>>);
    const SharedArray<int> array{10};
    const std::span<int> span = wire_type<SharedArray<int>>::from(array);
    CHECK(span.data() == array.data());
    CHECK(span.size() == 10);
}
