// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Callback: a function of the user's, called once. CallbackList: those that wait to be called.

#include <cstddef>
#include <memory>
#include <utility>

namespace procpool::inline v0::detail::future {

class Callback {
public:
    Callback() = default;
    Callback(const Callback&) = delete;
    Callback& operator=(const Callback&) = delete;
    virtual ~Callback() = default;
    virtual void run() = 0;

    std::unique_ptr<Callback> next;  ///< of the list it is in
};

template <class F>
class FunctionCallback final : public Callback {
public:
    explicit FunctionCallback(F&& callee) : f_(std::move(callee)) {}
    void run() override { static_cast<void>(f_()); }

private:
    F f_;
};

/// Returns: a callback that calls f, which may be move-only.
template <class F>
[[nodiscard]] std::unique_ptr<Callback> make_callback(F f) {
    return std::unique_ptr<Callback>{new FunctionCallback<F>{std::move(f)}};
}

/// First in, first out; allocates nothing. Not thread-safe.
class CallbackList {
public:
    CallbackList() noexcept = default;
    CallbackList(const CallbackList&) = delete;
    CallbackList& operator=(const CallbackList&) = delete;
    ~CallbackList() {
        while (pop()) {}
    }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    void push(std::unique_ptr<Callback> callback) noexcept {
        Callback* const added = callback.get();
        (last_ != nullptr ? last_->next : first_) = std::move(callback);
        last_ = added;
        ++size_;
    }
    /// Returns: null when there is none.
    [[nodiscard]] std::unique_ptr<Callback> pop() noexcept {
        std::unique_ptr<Callback> first = std::move(first_);
        if (!first) { return nullptr; }
        first_ = std::move(first->next);
        if (--size_ == 0) { last_ = nullptr; }
        return first;
    }

private:
    std::unique_ptr<Callback> first_;
    Callback* last_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace procpool::detail::future
