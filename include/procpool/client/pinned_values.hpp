// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// PinnedValues: values that must stay as long as a task, or bytes that are sent more than once, refer to them.

#include <procpool/core/config.hpp>

#include <atomic>
#include <memory>
#include <utility>

namespace procpool::inline v0::detail::client {

/// A list that is one word long, since each slot has one. All-zero memory is an empty list. Destroying it may run
/// destructors of the user's: no mutex may be held then.
/// Called by: the owner of what it belongs to; take() and append() by any thread.
class PinnedValues {
public:
    PinnedValues() noexcept = default;
    PinnedValues(PinnedValues&& other) noexcept : first_(other.take()) {}
    PinnedValues& operator=(PinnedValues&& other) noexcept {
        PinnedValues before{take()};
        first_.store(other.take(), std::memory_order_relaxed);
        return *this;
    }
    ~PinnedValues() { destroy(first_.load(std::memory_order_relaxed)); }

    [[nodiscard]] bool empty() const noexcept { return first_.load(std::memory_order_relaxed) == nullptr; }

    /// Throws: std::bad_alloc.
    void add(std::shared_ptr<const void> value);
    /// Effects: adds what the other list has, which stays. Throws: std::bad_alloc.
    void add_all(const PinnedValues& other);
    /// Calls look(value) for each.
    template <class Look>
    void each(Look look) const {
        for (const Node* one = first_.load(std::memory_order_relaxed); one != nullptr; one = one->next) {
            look(one->value.get());
        }
    }
    /// Effects: moves the other list here.
    void append(PinnedValues&& other) noexcept;

private:
    struct Node {
        std::shared_ptr<const void> value;
        Node* next;
    };
    explicit PinnedValues(Node* first) noexcept : first_(first) {}
    /// Memory order: acquire: the nodes were written by the thread that added them; release: for append().
    [[nodiscard]] Node* take() noexcept {
        return empty() ? nullptr : first_.exchange(nullptr, std::memory_order_acq_rel);
    }
    static void destroy(Node* first) noexcept;

    std::atomic<Node*> first_{nullptr};
};

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/pinned_values.ipp>
#endif
