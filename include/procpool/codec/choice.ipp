// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/choice.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/type_name.hpp>

namespace procpool::inline v0::detail::codec {

[[gnu::cold]] PROCPOOL_DECL void refuse_derived(const std::type_info& base, const std::type_info& derived) {
    throw CodecError("procpool: a unique_ptr<" + type_name(base) + "> to an object of the derived class " +
                     type_name(derived) + " cannot travel");
}

[[gnu::cold]] PROCPOOL_DECL void refuse_variant_without_value() {
    throw CodecError("procpool: a variant without a value cannot travel");
}

[[gnu::cold]] PROCPOOL_DECL void refuse_bytes_of_variant() {
    throw CodecError("procpool: the bytes of a variant name no alternative of it");
}

}  // namespace procpool::detail::codec
