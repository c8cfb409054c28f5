// expect: if it holds no pointer or reference, write template <> inline constexpr bool procpool::enable_plain<T> = true; with this type for T
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

class Handle {
public:
    explicit Handle(int* p) : p_(p) {}
    int get() const { return *p_; }

private:
    int* p_;
};

void use(procpool::Writer& out, int& number) {
    procpool::detail::codec::encode_call(
        out, [](Handle handle) { return handle.get(); }, Handle(&number));
}
