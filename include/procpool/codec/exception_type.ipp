// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/exception_type.hpp>

#include <cstring>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL bool same_type(const std::type_info& a, const std::type_info& b) noexcept {
    return a == b || std::strcmp(a.name(), b.name()) == 0;
}

[[gnu::cold]] PROCPOOL_DECL std::exception_ptr decode_as(const ExceptionType& how, Reader& in,
                                                         const std::exception_ptr& nested) {
    bool decoded = false;
    try {
        if (nested == nullptr) { how.raise(in, false, decoded); }
        try {
            std::rethrow_exception(nested);
        } catch (...) { how.raise(in, true, decoded); }  // it nests the exception that is handled now
    } catch (...) {
        if (!decoded) { throw; }
        return std::current_exception();
    }
    return nullptr;  // never: raise() throws
}

[[gnu::cold]] PROCPOOL_DECL void list_exception(RegisteredException& entry) noexcept {
    if (entry.listed.exchange(true)) { return; }
    const RegisteredException* first = registered_exceptions.load(std::memory_order_relaxed);
    do {
        entry.next = first;
    } while (!registered_exceptions.compare_exchange_weak(first, &entry, std::memory_order_release,
                                                          std::memory_order_relaxed));
}

}  // namespace procpool::detail::codec
