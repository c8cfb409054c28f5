// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Refuser: makes system calls fail, also in processes that live already.

#include "support/events.hpp"

#include <procpool/os/call.hpp>

#include <cstdint>
#include <cstring>

namespace procpool_test {

namespace os = procpool::detail::os;

/// Makes system calls fail in this process and in those that it forks. One at a time.
class Refuser {
public:
    Refuser()
        : name_(page_.word()),
          error_(page_.word()),
          from_(page_.word()),
          to_(page_.word()),
          count_(page_.word()) {
        current_ = this;
        detail::os::refuse_call = [](const char* called) noexcept { return current_->answer(called); };
    }
    Refuser(const Refuser&) = delete;
    Refuser& operator=(const Refuser&) = delete;
    ~Refuser() { detail::os::refuse_call = nullptr; }

    /// Effects: the calls of `name` from the first-th to the last-th from now on fail. name: a literal, at the same
    /// address in all processes.
    void refuse(const char* name, int error, std::int64_t first, std::int64_t last = INT64_MAX) {
        to_->store(0);
        name_->store(reinterpret_cast<std::int64_t>(name));
        error_->store(error);
        count_->store(0);
        from_->store(first);
        to_->store(last);
    }
    void allow() { to_->store(0); }
    /// Of calls that were made since refuse().
    [[nodiscard]] std::int64_t calls() const { return count_->load(); }

private:
    [[nodiscard]] int answer(const char* called) const noexcept {
        const auto* const name = reinterpret_cast<const char*>(name_->load());
        if (name == nullptr || std::strcmp(called, name) != 0) { return 0; }
        const std::int64_t number = count_->fetch_add(1) + 1;
        return number >= from_->load() && number <= to_->load() ? static_cast<int>(error_->load()) : 0;
    }

    static inline const Refuser* current_ = nullptr;

    SharedPage page_;
    Word* name_;
    Word* error_;
    Word* from_;
    Word* to_;
    Word* count_;
};

}  // namespace procpool_test
