// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Refusal: makes calls of one name fail while it lives.

#include <procpool/os/call.hpp>

#include <atomic>
#include <cstring>

namespace procpool_test {

class Refusal {
public:
    /// The calls of `name` fail with `error`, but the first `spared` of them.
    Refusal(const char* name, int error, int spared = 0) {
        name_ = name;
        error_ = error;
        spared_ = spared;
        procpool::detail::os::refuse_call = [](const char* called) noexcept {
            return std::strcmp(called, name_) == 0 && --spared_ < 0 ? error_ : 0;
        };
    }
    Refusal(const Refusal&) = delete;
    Refusal& operator=(const Refusal&) = delete;
    ~Refusal() { procpool::detail::os::refuse_call = nullptr; }

private:
    static inline const char* name_ = nullptr;
    static inline int error_ = 0;
    static inline std::atomic<int> spared_{0};
};

}  // namespace procpool_test
