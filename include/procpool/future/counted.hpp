// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Counted: a reference to a Completion, or to what derives from it.

#include <utility>

namespace procpool::inline v0::detail::future {

/// In a forked child it does nothing at its end.
template <class C>
class Counted {
public:
    Counted() noexcept = default;
    /// Takes over one reference.
    explicit Counted(C* completion) noexcept : completion_(completion) {}
    Counted(Counted&& other) noexcept : completion_(std::exchange(other.completion_, nullptr)) {}
    Counted(const Counted& other) noexcept : completion_(other.completion_) {
        if (completion_ != nullptr) { completion_->retain(); }
    }
    template <class D>
    explicit Counted(Counted<D> other) noexcept : completion_(other.detach()) {}
    Counted& operator=(Counted other) noexcept {
        std::swap(completion_, other.completion_);
        return *this;
    }
    ~Counted() {
        if (completion_ != nullptr && completion_->is_mine()) { completion_->release(); }
    }
    [[nodiscard]] explicit operator bool() const noexcept { return completion_ != nullptr; }
    [[nodiscard]] C* get() const noexcept { return completion_; }
    /// Gives the reference to the caller.
    [[nodiscard]] C* detach() noexcept { return std::exchange(completion_, nullptr); }
    C* operator->() const noexcept { return completion_; }
    C& operator*() const noexcept { return *completion_; }

private:
    C* completion_ = nullptr;
};

}  // namespace procpool::detail::future
