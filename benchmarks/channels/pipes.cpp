// SPDX-License-Identifier: BSL-1.0
/// \file
/// channels: the system's pipes. 4 KB are written in one piece, and read in as many as it takes.
#include "flow.hpp"

namespace {

using namespace benchmarks;

template <std::size_t size>
class Pipe {
public:
    Pipe() { require(::pipe(ends_.data()) == 0, "pipe"); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        for (const int end : ends_) { ::close(end); }
    }
    void put(const Item<size>& item) { require(::write(ends_[1], &item, size) == static_cast<ssize_t>(size), "write"); }
    void get(Item<size>& item) {
        for (std::size_t had = 0; had < size;) {
            const ssize_t more = ::read(ends_[0], reinterpret_cast<std::byte*>(&item) + had, size - had);
            require(more > 0, "read");
            had += static_cast<std::size_t>(more);
        }
    }

private:
    std::array<int, 2> ends_{};
};

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) { measure_channel<Pipe<16>, Pipe<4096>>(arguments, 4); });
}
