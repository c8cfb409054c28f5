// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// on_stack_of(): runs a function in a thread with so much stack.

#include <pthread.h>
#include <cstddef>
#include <exception>
#include <stdexcept>

namespace procpool_test {

/// Throws: any exception of f().
template <class F>
void on_stack_of(std::size_t bytes, F f) {
    struct Job {
        F& f;
        std::exception_ptr thrown;
    } job{f, nullptr};
    pthread_attr_t attributes;
    pthread_t thread{};
    const auto run = [](void* self) -> void* {
        auto& wanted = *static_cast<Job*>(self);
        try {
            wanted.f();
        } catch (...) { wanted.thrown = std::current_exception(); }
        return nullptr;
    };
    const bool made = ::pthread_attr_init(&attributes) == 0 && ::pthread_attr_setstacksize(&attributes, bytes) == 0 &&
                      ::pthread_create(&thread, &attributes, run, &job) == 0;
    if (!made) { throw std::runtime_error("no thread with such a stack"); }
    ::pthread_join(thread, nullptr);
    ::pthread_attr_destroy(&attributes);
    if (job.thrown) { std::rethrow_exception(job.thrown); }
}

}  // namespace procpool_test
