// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/inner_threads.hpp>

#include <procpool/os/find_function.hpp>

#include <algorithm>
#include <string_view>

#include <unistd.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL InnerThreads::InnerThreads(std::size_t count) : count_(count) {
    if (count_ == 0) { return; }
    for (const char* const name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                                   "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"}) {
        variables_.push_back(std::string(name) + "=" + std::to_string(count_));
    }
    openmp_ = find_function<SetInt>("omp_set_num_threads");
    openblas_ = find_function<SetInt>("openblas_set_num_threads");
    openblas_64_ = find_function<SetInt>("openblas_set_num_threads64_");
    mkl_ = find_function<SetInt>("MKL_Set_Num_Threads");  // in small letters it is Fortran's, which takes an address
    mkl_of_thread_ = find_function<SetLocal>("MKL_Set_Num_Threads_Local");
    blis_ = find_function<SetLong>("bli_thread_set_num_threads");
    pause_openmp_ = find_function<Pause>("omp_pause_resource_all");
}

PROCPOOL_DECL void InnerThreads::before_fork() const noexcept {
    constexpr int soft = 1;  // omp_pause_soft: what the program has set stays
    if (pause_openmp_ != nullptr) { static_cast<void>(pause_openmp_(soft)); }
}

PROCPOOL_DECL void InnerThreads::set_for_process() const {
    if (count_ == 0) { return; }
    const auto is_one_of = [](char* variable, const std::string& own) {
        const std::string_view name = std::string_view(own).substr(0, own.find('=') + 1);
        return std::string_view(variable).starts_with(name);
    };
    // Never freed, and so are the texts: the process's environment, from now on.
    std::size_t others = 0;
    while (environ != nullptr && environ[others] != nullptr) { ++others; }
    char** const all = new char*[others + variables_.size() + 1];
    char** const end = std::copy_if(environ, environ + others, all, [&](char* variable) {
        return std::none_of(variables_.begin(), variables_.end(),
                            [&](const std::string& own) { return is_one_of(variable, own); });
    });
    char** const all_end = std::transform(variables_.begin(), variables_.end(), end, [](const std::string& own) {
        char* const text = new char[own.size() + 1];
        std::copy_n(own.c_str(), own.size() + 1, text);
        return text;
    });
    *all_end = nullptr;
    environ = all;
    const auto count = static_cast<int>(count_);
    if (openmp_ != nullptr) { openmp_(count); }
    if (openblas_ != nullptr) { openblas_(count); }
    if (openblas_64_ != nullptr) { openblas_64_(count); }
    if (mkl_ != nullptr) { mkl_(count); }
    if (blis_ != nullptr) { blis_(count); }
}

PROCPOOL_DECL void InnerThreads::set_for_thread() const noexcept {
    const auto count = static_cast<int>(count_);
    if (openmp_ != nullptr) { openmp_(count); }
    if (mkl_of_thread_ != nullptr) { static_cast<void>(mkl_of_thread_(count)); }
}

}  // namespace procpool::detail::os
