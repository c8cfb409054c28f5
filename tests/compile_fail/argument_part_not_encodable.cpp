// expect: not_encodable<std::locale>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <locale>
#include <string>
#include <vector>

struct Job {
    std::string name;
    std::locale locale;
};

void use(procpool::Writer& out, const std::vector<Job>& jobs) {
    procpool::detail::codec::encode_call(
        out, [](const std::vector<Job>& all) { return all.size(); }, jobs);
}
