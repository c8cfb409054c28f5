// expect: not_encodable<Handle>.*path<std::vector<Job.*part<1, Job>.*member<2, .*optional<Handle> ?>.*part<1, Handle>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

#include <optional>
#include <string>
#include <vector>

class Handle {
public:
    explicit Handle(int* p) : p_(p) {}
    int get() const { return *p_; }

private:
    int* p_;
};
struct Job {
    std::string name;
    std::optional<Handle> handle;
};

void use(procpool::Writer& out, const std::vector<Job>& jobs) {
    procpool::detail::codec::encode_call(
        out, [](const std::vector<Job>& all) { return all.size(); }, jobs);
}
