// expect: not_encodable<Derived>
// SPDX-License-Identifier: BSL-1.0
#include <procpool/codec/call.hpp>

struct Node {
    int value;
    Node* next;
};
struct Derived : Node {
    int extra;
};

void use(procpool::Writer& out) {
    procpool::detail::codec::encode_call(
        out, [](Derived derived) { return derived.next->value; }, Derived{});
}
