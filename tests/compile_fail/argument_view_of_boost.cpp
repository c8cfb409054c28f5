// expect: procpool: an iterator, a view or a pointer-like type cannot travel between processes, for what it refers to stays behind
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <boost/utility/string_view.hpp>
#include <string>

void use(procpool::Writer& out, const std::string& text) {
    procpool::detail::codec::encode_call(
        out, [](boost::string_view view) { return view.size(); }, boost::string_view(text));
}
