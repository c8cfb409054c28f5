// expect: procpool: this type cannot travel between processes: specialise procpool::Codec<T> for it, give it a serialize\(Archive&\) member, or make it an aggregate of encodable types
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <memory>

void use(procpool::Writer& out) {
    procpool::encode_call(
        out, [](std::shared_ptr<int> p) { return *p; }, std::make_shared<int>(1));
}
