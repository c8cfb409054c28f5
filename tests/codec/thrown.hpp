// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Throws, encodes and catches exceptions, for tests of them.

#include <procpool/codec/exception.hpp>

#include "codec/round_trip.hpp"

#include <exception>
#include <stdexcept>
#include <string>
#include <typeinfo>

namespace procpool_test {

template <class F>
std::exception_ptr thrown_by(F f) {
    try {
        f();
    } catch (...) { return std::current_exception(); }
    return nullptr;
}

inline std::exception_ptr round_trip_thrown(const std::exception_ptr& thrown) {
    Bytes bytes;
    procpool::detail::codec::encode_exception(bytes.writer, thrown);
    const auto written = bytes.written();
    procpool::Reader reader(written);
    auto decoded = procpool::detail::codec::decode_exception(reader);
    if (reader.remaining() != 0) { throw std::logic_error("decode_exception() left bytes"); }
    return decoded;
}

/// Effects: calls use(e) with the E that `thrown` holds. Throws what it holds otherwise.
template <class E, class Use>
void caught_as(const std::exception_ptr& thrown, Use use) {
    try {
        std::rethrow_exception(thrown);
    } catch (const E& e) { use(e); }
}

inline const std::type_info& type_thrown(const std::exception_ptr& thrown) {
    const std::type_info* type = &typeid(void);
    caught_as<std::exception>(thrown, [&](const std::exception& e) { type = &typeid(e); });
    return *type;
}

inline std::string what_thrown(const std::exception_ptr& thrown) {
    std::string what;
    caught_as<std::exception>(thrown, [&](const std::exception& e) { what = e.what(); });
    return what;
}

}  // namespace procpool_test
