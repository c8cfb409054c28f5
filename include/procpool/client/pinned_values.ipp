// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/pinned_values.hpp>

#include <atomic>
#include <memory>
#include <utility>

namespace procpool::inline v0::detail::client {

PROCPOOL_DECL void PinnedValues::add(std::shared_ptr<const void> value) {
    Node* const first = first_.load(std::memory_order_relaxed);
    if (first != nullptr && first->value == value) { return; }
    first_.store(new Node{std::move(value), first}, std::memory_order_relaxed);
}

PROCPOOL_DECL void PinnedValues::add_all(const PinnedValues& other) {
    for (const Node* one = other.first_.load(std::memory_order_relaxed); one != nullptr; one = one->next) {
        add(one->value);
    }
}

PROCPOOL_DECL void PinnedValues::append(PinnedValues&& other) noexcept {
    Node* const first = other.take();
    if (first == nullptr) { return; }
    Node* last = first;
    while (last->next != nullptr) { last = last->next; }
    last->next = first_.load(std::memory_order_relaxed);
    // release: take() sees the nodes.
    while (!first_.compare_exchange_weak(last->next, first, std::memory_order_release, std::memory_order_relaxed)) {}
}

PROCPOOL_DECL void PinnedValues::destroy(Node* first) noexcept {
    while (first != nullptr) { delete std::exchange(first, first->next); }
}

}  // namespace procpool::detail::client
