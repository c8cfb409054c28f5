// SPDX-License-Identifier: BSL-1.0
/// \file
/// channels: procpool's queue; and a round trip by apply().
#include "flow.hpp"

#include <procpool/procpool.hpp>

namespace {

using namespace benchmarks;

template <std::size_t size>
class Channel {
public:
    void put(const Item<size>& item) { queue_->put(item); }
    void get(Item<size>& item) { item = queue_->get(); }

private:
    procpool::Shared<procpool::Queue<Item<size>>> queue_{1024U};
};

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        measure_channel<Channel<16>, Channel<4096>>(arguments, 1);
        procpool::Pool pool{1};
        const auto count = arguments.pick<std::size_t>(100, 500, 2000);
        const auto increment = [](Item<16> item) {
            ++item.number;
            return item;
        };
        Item<16> item{};
        for (int i = 0; i < 100; ++i) { item = pool.apply(increment, item); }
        report("16 B there and back by apply",
               nanoseconds_each(count,
                                [&] {
                                    for (std::size_t i = 0; i < count; ++i) { item = pool.apply(increment, item); }
                                }),
               "ns");
        require(item.number == 100 + count, "wrong number");
    });
}
