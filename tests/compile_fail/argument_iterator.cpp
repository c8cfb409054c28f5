// expect: procpool: an iterator, a view or a pointer-like type cannot travel between processes, for what it refers to stays behind
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <list>

template <>
inline constexpr bool procpool::enable_plain<std::list<int>::iterator> = true;  // which is not so

void use(procpool::Writer& out, std::list<int>& list) {
    procpool::detail::codec::encode_call(
        out, [](std::list<int>::iterator i) { return *i; }, list.begin());
}
