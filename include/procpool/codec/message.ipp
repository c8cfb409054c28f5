// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/message.hpp>

#include <procpool/core/error.hpp>

namespace procpool::inline v0::detail::codec {

PROCPOOL_DECL void refuse_message_size() {
    throw CodecError("procpool: a protocol buffer of 2 GB or more cannot travel");
}

PROCPOOL_DECL void refuse_message(const std::string& type, const std::string& lacks) {
    throw CodecError("procpool: the protocol buffer " + type + " cannot be written" +
                     (lacks.empty() ? std::string{} : ", for it lacks fields: " + lacks));
}

PROCPOOL_DECL void refuse_message_bytes(const std::string& type) {
    throw CodecError("procpool: the bytes are no protocol buffer " + type);
}

}  // namespace procpool::detail::codec
