// expect: procpool: a reference cannot travel between processes, for it means nothing to another one: use a value
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <string>

struct Job {
    const std::string& name;
    int number;
};

void use(procpool::Writer& out, const std::string& name) {
    procpool::detail::codec::encode_call(
        out, [](const Job& job) { return job.name.size(); }, Job{name, 1});
}
