// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// std::error_code: its category is an object that is told by its address.

#include <procpool/codec/codec.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <future>
#include <ios>
#include <iterator>
#include <string>
#include <system_error>

namespace procpool {

template <>
struct Codec<std::error_code> {
    using parts = TypeList<>;

    static void encode(Writer& out, const std::error_code& code) {
        const std::error_category& category = code.category();
        const auto known = categories();
        const auto at = std::find(known.begin(), known.end(), &category) - known.begin();
        Codec<std::uint8_t>::encode(out, static_cast<std::uint8_t>(at));
        if (at == std::ssize(known)) {
            if (out.place_of(&category) == Place::private_) {
                throw CodecError(std::string("procpool: the error category '") + category.name() +
                                 "' is known to this process only");
            }
            encode_plain(out, &category);
        }
        Codec<int>::encode(out, code.value());
    }
    static std::error_code decode(Reader& in) {
        const auto known = categories();
        const auto at = Codec<std::uint8_t>::decode(in);
        if (at > known.size()) { throw CodecError("procpool: the bytes of an error code name no category"); }
        const auto* const category = at < known.size() ? known[at] : decode_plain<const std::error_category*>(in);
        return {Codec<int>::decode(in), *category};
    }

private:
    static std::array<const std::error_category*, 4> categories() noexcept {
        return {&std::generic_category(), &std::system_category(), &std::iostream_category(), &std::future_category()};
    }
};

}  // namespace procpool
