// expect: not_encodable<Handle>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

class Handle {
public:
    explicit Handle(int* p) : p_(p) {}
    int get() const { return *p_; }

private:
    int* p_;
};

void use(procpool::Writer& out) {
    procpool::detail::codec::encode_call(out, [] { return Handle(new int(1)); });
}
