// SPDX-License-Identifier: BSL-1.0
#include <procpool/task/store.hpp>

#include "support/catch.hpp"
#include "task/scratch_board.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

using namespace procpool;
using namespace procpool_test;
using detail::task::Extents;
using detail::task::Slot;

namespace {

constexpr std::uint32_t slots = 4;
constexpr std::size_t extent = Extents::extent_size;

std::byte pattern(std::size_t i) { return static_cast<std::byte>(i * 7 + i / 251 + 1); }

/// Writes `size` bytes as a Writer does, `step` at a time, and seals them. Returns: the last buffer.
template <class Store>
std::span<std::byte> write(Store& store, std::uint32_t slot, std::uint32_t generation, std::size_t size,
                           std::size_t step) {
    std::span<std::byte> buffer = store.first_buffer(slot);
    for (std::size_t used = 0; used < size;) {
        const std::size_t now = std::min(step, size - used);
        if (used + now > buffer.size()) { buffer = store.grow(slot, generation, buffer, used, used + now); }
        for (std::size_t i = used; i < used + now; ++i) { buffer[i] = pattern(i); }
        used += now;
    }
    store.seal(slot, buffer, size);
    return buffer;
}

bool is_pattern(std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != pattern(i)) { return false; }
    }
    return true;
}

template <class Store>
void check_sizes(Store& store) {
    const std::size_t window = store.window(0).size();
    REQUIRE(window >= detail::os::page_size);
    REQUIRE(store.window(1).data() == store.window(0).data() + window);
    for (const std::size_t size : {std::size_t{0},
                                   std::size_t{1},
                                   std::size_t{15},
                                   std::size_t{16},
                                   std::size_t{17},
                                   std::size_t{64},
                                   std::size_t{127},
                                   std::size_t{128},
                                   std::size_t{129},
                                   detail::os::page_size - 1,
                                   detail::os::page_size,
                                   detail::os::page_size + 1,
                                   window - 1,
                                   window,
                                   window + 1,
                                   extent - 1,
                                   extent,
                                   extent + 1,
                                   3 * extent,
                                   5 * extent + 12345}) {
        for (const std::size_t step : {size, std::size_t{1000}, std::size_t{7}}) {
            if (step == 0 || (step == 7 && size > window + 1)) { continue; }
            CAPTURE(size, step);
            for (std::uint32_t slot = 0; slot < slots; ++slot) {
                write(store, slot, 9, size, step);
            }  // neighbours do not disturb each other
            for (std::uint32_t slot = 0; slot < slots; ++slot) {
                const std::span<std::byte> payload = store.payload(slot);
                REQUIRE(payload.size() == size);
                REQUIRE(is_pattern(payload));
                REQUIRE(store.is_large(slot) == (size > window));
                if (size <= Slot::inline_bytes) { REQUIRE(payload.data() == store.first_buffer(slot).data()); }
                if (size > Slot::inline_bytes && size <= Store::pocket_bytes) {
                    REQUIRE(payload.data() == store.pocket(slot).data());
                }
                if (size > Store::pocket_bytes && size <= window) {
                    REQUIRE(payload.data() == store.window(slot).data());
                }
            }
            REQUIRE((store.extents().was_owned() > 0) == (size > window));
            for (std::uint32_t slot = 0; slot < slots; ++slot) { store.release(slot); }
            REQUIRE(store.extents().was_owned() == 0);
            REQUIRE(store.payload(0).empty());
        }
    }
}

}  // namespace

TEST_CASE("payloads of every size come back as they were written on both sides") {
    const ScratchBoard board{{slots, 1, 1}};
    check_sizes(board->arguments);
    check_sizes(board->results);
}

TEST_CASE("arguments and results of one slot lie apart") {
    const ScratchBoard board{{slots, 1, 1}};
    for (const std::size_t size : {std::size_t{16}, std::size_t{100}, std::size_t{1000}, 2 * extent}) {
        write(board->arguments, 1, 3, size, size);
        std::span<std::byte> result = write(board->results, 1, 3, size, size);
        std::ranges::fill(result.first(size), std::byte{0xee});
        CHECK(is_pattern(board->arguments.payload(1)));
        board->arguments.release(1);
        CHECK(std::ranges::all_of(board->results.payload(1), [](std::byte one) { return one == std::byte{0xee}; }));
        board->results.release(1);
    }
}

TEST_CASE("growth keeps what was written and only one run is held") {
    const ScratchBoard board{{slots, 1, 1}};
    auto& store = board->results;
    const std::size_t window = store.window(0).size();
    std::span<std::byte> buffer = store.first_buffer(2);
    std::size_t used = 0;
    const auto fill = [&](std::size_t to) {
        for (; used < to; ++used) { buffer[used] = pattern(used); }
    };
    fill(buffer.size());
    for (const std::size_t need :
         {std::size_t{17}, std::size_t{129}, window + 1, extent + 1, 2 * extent + 1, 9 * extent}) {
        if (need > buffer.size()) { buffer = store.grow(2, 5, buffer, used, need); }
        REQUIRE(buffer.size() >= need);
        REQUIRE(is_pattern(buffer.first(used)));
        fill(need);
        if (buffer.size() > window) { REQUIRE(store.extents().was_owned() * extent == buffer.size()); }
    }
    store.seal(2, buffer, used);
    CHECK(is_pattern(store.payload(2)));
    store.release(2);
    CHECK(store.extents().was_owned() == 0);
}

TEST_CASE("growing more than once at least doubles if there is room") {
    const ScratchBoard board{{slots, 1, 1}};
    auto& store = board->arguments;
    std::span<std::byte> buffer = store.grow(0, 1, store.first_buffer(0), 0, extent);
    CHECK(buffer.size() == extent);
    buffer = store.grow(0, 1, buffer, extent, extent + 1);
    CHECK(buffer.size() == 2 * extent);
    store.abandon(0, buffer);
    CHECK(store.extents().was_owned() == 0);
}

TEST_CASE("where there is no room to double: as much as is needed is enough") {
    const ScratchBoard board{{slots, 1, 1}, std::size_t{8} << 20};
    auto& store = board->arguments;
    std::uint32_t all = 0;
    while (true) {  // count them
        try {
            static_cast<void>(store.extents().acquire(extent, Extents::stamp(9, 9)));
            ++all;
        } catch (const SharedMemoryExhausted&) { break; }
    }
    store.extents().release_all_of(Extents::stamp(9, 9));
    REQUIRE(all >= 5);
    const std::uint32_t half = (all - 1) / 2;
    std::span<std::byte> buffer = store.grow(0, 1, store.first_buffer(0), 0, half * extent);
    for (std::size_t i = 0; i < 100; ++i) { buffer[i] = pattern(i); }
    buffer = store.grow(0, 1, buffer, 100, half * extent + 1);  // twice as much does not fit beside the first
    CHECK(buffer.size() == (half + 1) * extent);
    CHECK(is_pattern(buffer.first(100)));

    // And a growth that does not fit at all leaves everything as it is.
    CHECK_THROWS_AS(store.grow(0, 1, buffer, 100, (all + 1) * extent), SharedMemoryExhausted);
    CHECK(is_pattern(buffer.first(100)));
    CHECK(store.extents().was_owned() == half + 1);
    store.seal(0, buffer, 100);
    CHECK(is_pattern(store.payload(0)));
    store.release(0);
    CHECK(store.extents().was_owned() == 0);
}

TEST_CASE("a large buffer with a small payload is found and freed") {
    const ScratchBoard board{{slots, 1, 1}};
    auto& store = board->results;
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{100}}) {
        std::span<std::byte> buffer =
            store.grow(1, 2, store.first_buffer(1), 0, 2 * extent);  // then an exception replaced the result
        for (std::size_t i = 0; i < size; ++i) { buffer[i] = pattern(i); }
        store.seal(1, buffer, size);
        CHECK(store.payload(1).size() == size);
        CHECK(is_pattern(store.payload(1)));
        store.release(1);
        CHECK(store.extents().was_owned() == 0);
    }
}

TEST_CASE("a buffer with a payload that would have fitted into a smaller one") {
    const ScratchBoard board{{slots, 1, 1}};
    auto& store = board->results;
    for (const std::size_t capacity : {std::size_t{100}, std::size_t{1000}}) {
        for (const std::size_t size : {std::size_t{16}, std::size_t{50}}) {
            std::span<std::byte> buffer = store.grow(1, 2, store.first_buffer(1), 0, capacity);
            for (std::size_t i = 0; i < size; ++i) { buffer[i] = pattern(i); }
            store.seal(1, buffer, size);
            CHECK(store.payload(1).size() == size);
            CHECK(is_pattern(store.payload(1)));
        }
    }
}

TEST_CASE("what was written behind a payload is found there and nothing where the slot is damaged") {
    const ScratchBoard board{{slots, 1, 1}};
    auto& store = board->arguments;
    const std::size_t window = store.window(0).size();
    const std::size_t pocket = store.pocket(0).size();
    for (const std::size_t size :
         {Slot::inline_bytes + 1, pocket - 9, pocket - 8, pocket - 7, pocket, pocket + 1, window - 9, window - 8,
          window - 7, window, window + 1, extent - 1, extent, 2 * extent + 5}) {
        CAPTURE(size);
        const std::span<std::byte> buffer = write(store, 1, 3, size + 8, size);
        store.seal(1, buffer, size);
        CHECK(store.payload(1).size() == size);
        CHECK(is_pattern(store.payload(1)));
        const std::span<std::byte> behind = store.behind(1);
        REQUIRE(behind.size() >= 8);
        CHECK(behind.data() == store.payload(1).data() + size);
        for (std::size_t i = 0; i < 8; ++i) { CHECK(behind[i] == pattern(size + i)); }
        store.release(1);
    }
    write(store, 1, 3, Slot::inline_bytes, Slot::inline_bytes);
    CHECK(store.behind(1).empty());
    for (const std::uint32_t bytes : {Slot::large, Slot::large - 1, Slot::in_window - 1,
                                      Slot::in_window + static_cast<std::uint32_t>(window) + 1}) {
        board.slot(1).argument_bytes = bytes;
        CHECK(store.behind(1).empty());
    }
}

TEST_CASE("an abandoned payload holds nothing however far it came") {
    const ScratchBoard board{{slots, 1, 1}};
    auto& store = board->arguments;
    store.abandon(0, store.first_buffer(0));
    store.abandon(0, store.window(0));
    store.abandon(0, store.grow(0, 0, store.first_buffer(0), 0, 3 * extent));
    CHECK(store.extents().was_owned() == 0);
    CHECK(store.payload(0).empty());
}

TEST_CASE("a window is handed out as far as it has been asked for and no further than it reaches") {
    const ScratchBoard board{{slots, 1, 1}};
    auto& store = board->results;
    const std::size_t window = store.window(0).size();
    std::span<std::byte> buffer = store.grow(0, 1, store.first_buffer(0), 0, 129);
    CHECK(buffer.data() == store.window(0).data());
    CHECK(buffer.size() == detail::os::page_size);
    buffer[16] = std::byte{5};
    buffer = store.grow(0, 1, buffer, 17, detail::os::page_size + 1);
    CHECK(buffer.data() == store.window(0).data());
    CHECK(buffer[16] == std::byte{5});
    CHECK(buffer.size() == 2 * detail::os::page_size);
    CHECK(store.grow(0, 1, buffer, 17, window).size() == window);
    CHECK(store.grow(0, 2, store.first_buffer(0), 0, 129).size() ==
          window);  // the slot's next task needs not ask again
    CHECK(store.grow(1, 1, store.first_buffer(1), 0, 129).size() == detail::os::page_size);
}

TEST_CASE("a payload that names memory which is not its own is empty and gives nothing back") {
    const ScratchBoard board{{slots, 1, 1}};
    auto& store = board->results;
    static_cast<void>(write(store, 0, 7, 2 * extent, extent));
    static_cast<void>(write(store, 1, 8, 3 * extent, extent));
    const std::uint32_t owned = store.extents().was_owned();
    const std::uint64_t run = board.slot(1).large_result.run.load();
    const std::uint64_t size = board.slot(1).large_result.size;
    for (const std::uint64_t wrong : {std::uint64_t{0}, board.slot(0).large_result.run.load(), run + 1,
                                      run + (std::uint64_t{1} << 32), ~std::uint64_t{0}}) {
        board.slot(1).large_result.run.store(wrong);
        CHECK(store.payload(1).empty());
        CHECK(store.held(1).run.count == 0);
        store.release(1);
        CHECK(store.extents().was_owned() == owned);
        board.slot(1).result_bytes = Slot::large;
    }
    board.slot(1).large_result.run.store(run);
    board.slot(1).large_result.size = ~std::uint64_t{0};
    CHECK(store.payload(1).empty());
    board.slot(1).large_result.size = size;
    const std::size_t window = store.window(1).size();
    for (const std::size_t bytes :
         {std::size_t{129}, window, window + 1, Slot::in_window + window + 1, std::size_t{0xfffffffe}}) {
        board.slot(1).result_bytes = static_cast<std::uint32_t>(bytes);
        CHECK(store.payload(1).empty());
    }
    board.slot(1).result_bytes = Slot::large;
    CHECK(store.payload(1).size() == 3 * extent);
    CHECK(is_pattern(store.payload(1)));
    store.release(1);
    store.release(0);
    CHECK(store.extents().was_owned() == 0);
}
