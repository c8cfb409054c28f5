// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A SharedArray passed to a task arrives as a span of it.

#include <procpool/codec/stored.hpp>
#include <procpool/shm/shared_array.hpp>

#include <span>

namespace procpool {

template <class T>
struct stored<SharedArray<T>> {
    using type = std::span<T>;
    static type from(const SharedArray<T>& array) noexcept { return array.span(); }
};

}  // namespace procpool
