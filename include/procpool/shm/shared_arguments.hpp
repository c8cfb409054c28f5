// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// A SharedArray passed to a task arrives as a span of it; a Shared and what it holds do not travel themselves.

#include <procpool/codec/refusal.hpp>
#include <procpool/codec/wire_type.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/shm/shared_array.hpp>

#include <span>

namespace procpool::inline v0 {

template <class T>
struct detail::codec::wire_type<SharedArray<T>> {
    using type = std::span<T>;
    static type from(const SharedArray<T>& array) noexcept { return array.span(); }
};

template <class T>
struct detail::codec::why_refused<Shared<T>> {
    template <class Type>
    struct check {
        static_assert(detail::codec::never<Type>,
                      "procpool: a Shared does not travel itself: pass std::ref(*shared) or shared.get()");
    };
};

template <class T>
requires enable_shared<T>
struct detail::codec::why_refused<T> {
    template <class Type>
    struct check {
        static_assert(
            detail::codec::never<Type>,
            "procpool: what processes share, as a Mutex, does not travel itself: pass std::ref(object) or its "
            "address");
    };
};

}  // namespace procpool
