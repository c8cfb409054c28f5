// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// LazyDriver: drives a call over many items when its consumer wants a result, within a window.

#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>
#include <procpool/map/driver.hpp>
#include <procpool/map/sinks.hpp>
#include <procpool/pool/keep_open.hpp>
#include <procpool/pool/options.hpp>

#include <cstddef>
#include <exception>
#include <utility>

namespace procpool::inline v0::detail::map {

/// Results on their way to the consumer.
class ResultQueue : public ResultSink {
public:
    [[nodiscard]] virtual bool has_next() const noexcept = 0;

protected:
    ~ResultQueue() = default;
};

/// Called by: one thread at a time.
class LazyDriver {
public:
    /// reads_at_once: to read an item is to read memory, or to count. Effects: the first items are submitted.
    /// Lifetime: the references outlive it.
    LazyDriver(MapDriver& driver, ResultQueue& queue, pool::KeepOpen& hold, const MapOptions& options,
               bool reads_at_once);

    /// Blocks until there is a result. Returns: whether the queue has one, which counts as given to the consumer; false
    /// when there are no more, or the deadline came first. Throws: what the listener to progress throws; then there are
    /// no more.
    [[nodiscard]] bool drive(Deadline deadline);
    /// Returns: the error of the input, once there are no more results, and once.
    [[nodiscard]] std::exception_ptr take_error() noexcept { return std::exchange(error_, nullptr); }
    /// Whether there are no more results.
    [[nodiscard]] bool is_over() const noexcept { return is_over_; }

private:
    void adapt() noexcept;
    /// Returns: items that may be submitted now.
    [[nodiscard]] std::size_t room() const noexcept;
    [[nodiscard]] bool may_read(Deadline deadline);
    void fill();
    void end();

    MapDriver& driver_;
    ResultQueue& queue_;
    pool::KeepOpen& hold_;
    const MapOptions& options_;
    const std::size_t workers_;
    const bool reads_at_once_;
    std::size_t window_ = 0;
    std::size_t chunk_ = 0;
    std::size_t worthwhile_ = 0;  // to submit that many at once: a worker that sleeps is woken for several
    std::size_t given_ = 0;       // to the consumer
    bool is_filling_ = false;
    bool is_over_ = false;
    std::exception_ptr error_;
};

}  // namespace procpool::detail::map

#if PROCPOOL_BODIES
#include <procpool/map/lazy_driver.ipp>
#endif
