// expect: write template <> inline constexpr bool procpool::enable_shared<T> = true; with this type for T
// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/shared.hpp>

#include <memory>

void use() { const procpool::Shared<std::unique_ptr<int>> pointer; }
