// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/affinity.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/file.hpp>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <string>
#include <system_error>
#include <utility>

#include <sched.h>
#include <unistd.h>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL std::optional<CpuSet> CpuSet::of_this_thread() {
    CpuSet set;
    for (std::size_t cpus = 1024; cpus <= most; cpus *= 2) {
        set.words_.assign(cpus / bits, 0);
        const int got = try_call("sched_getaffinity", [&] {
            return ::sched_getaffinity(0, cpus / 8, reinterpret_cast<cpu_set_t*>(set.words_.data()));
        });
        if (got == 0) { return set; }
        if (errno != EINVAL) { break; }  // EINVAL: the kernel knows more CPUs than the mask has room for
    }
    return std::nullopt;
}

PROCPOOL_DECL std::optional<CpuSet> CpuSet::in_text(std::string_view text) {
    CpuSet set;
    text = text.substr(0, text.find('\n'));
    const auto take_number = [&text]() -> std::optional<std::size_t> {
        std::size_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || number >= most) { return std::nullopt; }
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        return number;
    };
    while (!text.empty()) {
        const std::optional<std::size_t> first = take_number();
        std::optional<std::size_t> last = first;
        if (text.starts_with('-')) {
            text.remove_prefix(1);
            last = take_number();
        }
        if (!first || !last || *last < *first) { return std::nullopt; }
        for (std::size_t cpu = *first; cpu <= *last; ++cpu) { set.add(cpu); }
        if (text.empty()) { break; }
        if (!text.starts_with(',') || text.size() == 1) { return std::nullopt; }
        text.remove_prefix(1);
    }
    return set;
}

PROCPOOL_DECL void CpuSet::add(std::size_t cpu) {
    if (cpu / bits >= words_.size()) { words_.resize(cpu / bits + 1); }
    words_[cpu / bits] |= 1UL << cpu % bits;
}

PROCPOOL_DECL bool CpuSet::has(std::size_t cpu) const noexcept {
    return cpu / bits < words_.size() && (words_[cpu / bits] >> cpu % bits & 1) != 0;
}

PROCPOOL_DECL std::size_t CpuSet::count() const noexcept {
    std::size_t all = 0;
    for (const unsigned long word : words_) { all += static_cast<std::size_t>(std::popcount(word)); }
    return all;
}

PROCPOOL_DECL std::vector<std::size_t> CpuSet::numbers() const {
    std::vector<std::size_t> all;
    for (std::size_t cpu = 0; cpu < words_.size() * bits; ++cpu) {
        if (has(cpu)) { all.push_back(cpu); }
    }
    return all;
}

PROCPOOL_DECL CpuSet CpuSet::operator&(const CpuSet& other) const {
    CpuSet both;
    both.words_.resize(std::min(words_.size(), other.words_.size()));
    for (std::size_t i = 0; i < both.words_.size(); ++i) { both.words_[i] = words_[i] & other.words_[i]; }
    return both;
}

PROCPOOL_DECL int CpuSet::bind_this_thread() const noexcept {
    const int got = try_call("sched_setaffinity", [&] {
        return ::sched_setaffinity(0, words_.size() * sizeof(unsigned long),
                                   reinterpret_cast<const cpu_set_t*>(words_.data()));
    });
    return got == 0 ? 0 : errno;
}

PROCPOOL_DECL std::vector<CpuSet> memory_nodes(const CpuSet& allowed, std::string_view folder) {
    std::vector<CpuSet> nodes;
    const std::string root{folder};
    const std::optional<CpuSet> online = CpuSet::in_text(text_of_file((root + "/online").c_str()));
    for (const std::size_t number : online ? online->numbers() : std::vector<std::size_t>{}) {
        const std::string list = root + "/node" + std::to_string(number) + "/cpulist";
        const std::optional<CpuSet> near = CpuSet::in_text(text_of_file(list.c_str()));
        if (CpuSet usable = near ? *near & allowed : CpuSet{}; !usable.empty()) { nodes.push_back(std::move(usable)); }
    }
    if (nodes.empty()) { nodes.push_back(allowed); }
    return nodes;
}

PROCPOOL_DECL std::size_t affinity_cpus() {
    const std::optional<CpuSet> allowed = CpuSet::of_this_thread();
    return std::max<std::size_t>(1, allowed ? allowed->count() : 0);
}

PROCPOOL_DECL std::size_t online_cpus() {
    const long count = ::sysconf(_SC_NPROCESSORS_ONLN);
    return count > 1 ? static_cast<std::size_t>(count) : 1;
}

}  // namespace procpool::detail::os
