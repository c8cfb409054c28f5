// expect: procpool: snapshot\(\) takes closures that capture references, pointers and trivially copyable values only
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/callable.hpp>

#include <string>

auto use(const std::string& text) {
    return procpool::snapshot([text] { return text.size(); });
}
