// expect: not_encodable<std::mutex>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <mutex>
#include <string>
#include <vector>

struct Job {
    std::string name;
    std::mutex mutex;
};

void use(procpool::Writer& out, const std::vector<Job>& jobs) {
    procpool::detail::codec::encode_call(
        out, [](const std::vector<Job>& all) { return all.size(); }, jobs);
}
