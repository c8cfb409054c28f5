// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/exit_hook.hpp>

#include <procpool/os/process.hpp>
#include <procpool/os/signals.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <link.h>
#include <unistd.h>
#include <array>
#include <cstdlib>
#include <thread>

using namespace procpool;
using namespace procpool_test;

namespace {

constexpr auto leave_plus_10 = [](int status, bool quick) noexcept { detail::os::leave(status + (quick ? 20 : 10)); };

Word* ran = nullptr;

}  // namespace

TEST_CASE("exit and quick_exit in a child run what it registered itself and no more") {
    SharedPage page;
    ran = page.word();
    const int status = in_child([] {
        std::atexit([] { ran->fetch_add(1); });  // the parent's
        std::at_quick_exit([] { ran->fetch_add(1); });
        const int by_exit = in_child([] {
            detail::os::hook_exits(leave_plus_10);
            std::atexit([] { ran->fetch_add(10); });
            std::exit(7);
            return 0;
        });
        const int by_quick_exit = in_child([] {
            detail::os::hook_exits(leave_plus_10);
            std::at_quick_exit([] { ran->fetch_add(10); });
            std::quick_exit(8);
            return 0;
        });
        return by_exit == 17 && by_quick_exit == 28 ? 0 : 1;
    });
    CHECK(status == 0);
    CHECK(ran->load() == 20);
}

TEST_CASE("a child gets a lock that a thread which did not come along holds") {
    SharedPage page;
    const Gate is_held{page};
    const Gate may_go{page};
    std::thread holder{[&] {
        std::array<const Gate*, 2> gates{&is_held, &may_go};
        ::dl_iterate_phdr(
            [](dl_phdr_info*, std::size_t, void* both) {
                const auto& [held_now, may_end] = *static_cast<std::array<const Gate*, 2>*>(both);
                held_now->set();
                may_end->wait();
                return 1;
            },
            &gates);
    }};
    is_held.wait();
    const int code = in_child([] {
        const detail::os::AllSignalsBlocked blocked;
        detail::os::hook_exits(leave_plus_10);
        std::exit(::dl_iterate_phdr([](dl_phdr_info*, std::size_t, void*) { return 7; }, nullptr));
        return 0;
    });
    may_go.set();
    holder.join();
    CHECK(code == 17);
}
