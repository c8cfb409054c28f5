// SPDX-License-Identifier: BSL-1.0
#include <procpool/worker/kept_objects.hpp>

#include "support/catch.hpp"

#include <procpool/os/memory.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

using procpool::detail::task::Extents;
using procpool::detail::worker::KeptObjects;

namespace {

/// Memory of calls, an extent for each.
class Calls {
public:
    Calls() { extents_.attach(words_.data(), memory_.data(), static_cast<std::uint32_t>(words_.size()), use_); }

    Extents::Run begin(std::uint64_t call) { return extents_.acquire(1, Extents::stamp_of_call(call)); }
    void end(Extents::Run run) { extents_.end_call(run); }
    [[nodiscard]] const Extents& extents() const { return extents_; }
    [[nodiscard]] const std::byte* address(Extents::Run run) const { return extents_.address(run); }

private:
    std::array<std::atomic<std::uint64_t>, 8> words_{};
    procpool::detail::os::Mapping memory_{8 * Extents::extent_size};
    Extents::Use use_{};
    Extents extents_;
};

}  // namespace

TEST_CASE("what is kept is found by its call until the call ends") {
    Calls calls;
    KeptObjects kept;
    const auto first = std::make_shared<const int>(1);
    const auto second = std::make_shared<const int>(2);
    const Extents::Run of_first = calls.begin(1);
    const Extents::Run of_second = calls.begin(2);
    CHECK(kept.empty());
    kept.keep({1, calls.address(of_first), first});
    kept.keep({2, calls.address(of_second), second});
    CHECK(kept.of(1) == first);
    CHECK(kept.of(2) == second);
    CHECK(kept.of(3) == nullptr);
    CHECK_FALSE(kept.tidy(calls.extents()));
    calls.end(of_first);
    CHECK(kept.tidy(calls.extents()));
    CHECK(kept.of(1) == nullptr);
    CHECK(kept.of(2) == second);
    CHECK(first.use_count() == 1);
    calls.end(of_second);
    CHECK(kept.tidy(calls.extents()));
    CHECK(kept.empty());
}

TEST_CASE("the oldest of too many that are kept makes room") {
    Calls calls;
    KeptObjects kept;
    const auto object = std::make_shared<const int>(0);
    for (std::uint64_t call = 1; call <= 6; ++call) {
        const Extents::Run memory = calls.begin(call);
        kept.keep({call, calls.address(memory), object});
        CHECK(kept.tidy(calls.extents()) == (call > 4));
    }
    CHECK(object.use_count() == 5);
    CHECK(kept.of(2) == nullptr);
    CHECK(kept.of(3) == object);
    CHECK(kept.of(6) == object);
}
