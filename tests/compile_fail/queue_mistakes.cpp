// expect-errors
// SPDX-License-Identifier: BSL-1.0
#include <procpool/channel/connection.hpp>
#include <procpool/channel/queue.hpp>
#include <procpool/pool/ref.hpp>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

class Closed {
public:
    explicit Closed(std::string text) : text_(std::move(text)) {}

private:
    std::string text_;
};

using namespace procpool;

// expect-error: procpool: this type cannot travel between processes: give it a serialize
const Shared<Queue<Closed>> closed{QueueOptions{}};
// expect-error: procpool: a std::mutex or another lock of the standard library cannot travel
const Shared<Queue<std::vector<std::mutex>>> mutexes{QueueOptions{}};
// expect-error: procpool: a string_view or span that comes out of a queue or pipe would view what is gone
const Shared<Queue<std::string_view>> views{QueueOptions{}};
// expect-error: procpool: a queue or pipe holds values: write Queue<T> or pipe<T>.. with a T without const and &
const Shared<Queue<const int>> constants{QueueOptions{}};
// expect-error: procpool: a string_view or span that comes out of a queue or pipe would view what is gone
auto pipe_of_views = pipe<std::vector<std::string_view>>();
// expect-error: comes out of a queue or pipe would view what is gone.*or what a Ref refers to
const Shared<Queue<Ref<int>>> refs{QueueOptions{}};
