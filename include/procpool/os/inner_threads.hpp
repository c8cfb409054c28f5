// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// InnerThreads: how many threads OpenMP and BLAS libraries start within a worker.

#include <procpool/core/config.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace procpool::inline v0::detail::os {

/// Libraries read their number from the environment when they are loaded, or first used; those that are loaded in the
/// program have read it already, and are told by a function of theirs. It is looked up before the fork, since that
/// takes a lock of the loader's, which another thread of the program may hold when the child is made.
class InnerThreads {
public:
    /// As the program's environment says.
    InnerThreads() = default;
    /// So many. Throws: std::bad_alloc.
    explicit InnerThreads(std::size_t count);

    /// Effects: ends the idle threads that OpenMP keeps for the calling thread: its child would wait for them. The next
    /// parallel region makes them anew. Called by: the thread that is about to fork.
    void before_fork() const noexcept;

    /// Effects: this process has so many, and what it executes. Takes no lock: setenv() has one that another thread of
    /// the program may have held at the fork. Called by: a child, once, while it has one thread that runs.
    /// Throws: std::bad_alloc.
    void set_for_process() const;

    /// Effects: parallel regions of the calling thread have so many, of OpenMP and MKL. Other libraries have one number
    /// for the whole program, which stays.
    void set_for_thread() const noexcept;

private:
    using SetInt = void (*)(int);
    using SetLocal = int (*)(int);
    using SetLong = void (*)(long);
    using Pause = int (*)(int);

    std::size_t count_ = 0;               // 0: all stays
    std::vector<std::string> variables_;  // name=value
    // null where it is not loaded:
    SetInt openmp_ = nullptr;
    SetInt openblas_ = nullptr;
    SetInt openblas_64_ = nullptr;
    SetInt mkl_ = nullptr;
    SetLocal mkl_of_thread_ = nullptr;
    SetLong blis_ = nullptr;
    Pause pause_openmp_ = nullptr;
};

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/inner_threads.ipp>
#endif
