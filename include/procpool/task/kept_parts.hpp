// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// KeptParts: values that a worker keeps from one task to the next, for Scattered.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::task {

/// A value of any type.
class KeptPart {
public:
    KeptPart() = default;
    KeptPart(const KeptPart&) = delete;
    KeptPart& operator=(const KeptPart&) = delete;
    virtual ~KeptPart() = default;
};

template <class T>
class KeptValue final : public KeptPart {
public:
    explicit KeptValue(T value) : value_(std::move(value)) {}
    [[nodiscard]] T& value() noexcept { return value_; }

private:
    T value_;
};

/// A worker's own, in its private memory: they are gone with the worker. Each has a number, which says its type too.
/// Called by: tasks of that worker.
class KeptParts {
public:
    /// Null when it is not there.
    [[nodiscard]] KeptPart* find(std::uint64_t number) const noexcept {
        const auto found = place_of(number);
        return found == parts_.end() ? nullptr : found->second.get();
    }
    /// Requires: there is none of that number.
    void keep(std::uint64_t number, std::unique_ptr<KeptPart> part) { parts_.emplace_back(number, std::move(part)); }
    void drop(std::uint64_t number) noexcept {
        if (const auto found = place_of(number); found != parts_.end()) { parts_.erase(found); }
    }
    void drop_all() noexcept { parts_.clear(); }

private:
    using Parts = std::vector<std::pair<std::uint64_t, std::unique_ptr<KeptPart>>>;

    [[nodiscard]] Parts::const_iterator place_of(std::uint64_t number) const noexcept {
        return std::find_if(parts_.begin(), parts_.end(), [&](const auto& part) { return part.first == number; });
    }

    Parts parts_;
};

}  // namespace procpool::detail::task
