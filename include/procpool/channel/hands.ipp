// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/channel/hands.hpp>

#include <algorithm>

namespace procpool::inline v0::detail::channel {

PROCPOOL_DECL void Hands::adopt(std::uint32_t place) {
    Hand& hand = hands_[place];
    const std::uint64_t before = hand.content.load(std::memory_order_relaxed);
    // One store moves the items: a second time there is nothing to move. release, and the stamp after it: a look that
    // finds the new stamp finds the new content.
    const std::uint64_t held = before & Hand::held;
    hand.content.store(before - held + held * Hand::lost_unit, std::memory_order_release);
    hand.stamp.store(sync::Members::own(), std::memory_order_release);
    std::uint32_t used = used_.load(std::memory_order_relaxed);
    while (used < place + 1 && !used_.compare_exchange_weak(used, place + 1, std::memory_order_release)) {}
}

PROCPOOL_DECL void Hands::end_taking(std::uint32_t place, std::uint32_t taken) noexcept {
    if (place >= sync::Members::most) { return; }  // a wild write
    Hand& hand = hands_[place];
    const std::uint64_t content = hand.content.load(std::memory_order_relaxed);
    if ((content & Hand::taking) == 0) { return; }
    // A consumer that never reports takes any number; they stop counting at the most that there is room for.
    const std::uint64_t room = Hand::held - (content & Hand::held);
    hand.content.store((content & ~Hand::taking) + std::min<std::uint64_t>(taken, room), std::memory_order_release);
}

PROCPOOL_DECL void Hands::end_finishing(std::uint32_t place, bool finished) noexcept {
    if (place >= sync::Members::most) { return; }
    Hand& hand = hands_[place];
    const std::uint64_t content = hand.content.load(std::memory_order_relaxed);
    if ((content & Hand::finishing) == 0) { return; }
    const bool counts = finished && (content & Hand::held) != 0;
    hand.content.store((content & ~Hand::finishing) - (counts ? 1 : 0), std::memory_order_release);
}

PROCPOOL_DECL std::uint64_t Hands::lost() const noexcept {
    std::uint64_t lost = 0;
    const std::uint32_t used = std::min(used_.load(std::memory_order_acquire), sync::Members::most);
    for (std::uint32_t place = 0; place < used;) {
        const Hand& hand = hands_[place];
        const sync::Stamp stamp = hand.stamp.load(std::memory_order_acquire);
        const bool dead = stamp != sync::nobody && !sync::Members::is_alive(stamp);
        const std::uint64_t content = hand.content.load(std::memory_order_acquire);
        if (hand.stamp.load(std::memory_order_relaxed) != stamp) { continue; }  // the items held are another thread's
        lost += (content & ~(Hand::taking | Hand::finishing)) / Hand::lost_unit + (dead ? content & Hand::held : 0);
        ++place;
    }
    return lost;
}

}  // namespace procpool::detail::channel
