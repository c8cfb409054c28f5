// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/log/log.hpp>
#include <procpool/log/report.hpp>  // its bodies have write_log()
#include <procpool/log/shared_records.hpp>

namespace procpool::inline v0 {

namespace detail::log {

PROCPOOL_DECL bool is_logged(LogLevel level) noexcept {
    const SharedRecords* const records = SharedRecords::current();
    return records != nullptr && records->journal.wants(level);
}

}  // namespace detail::log

PROCPOOL_DECL LogLevel log_level() noexcept {
    const detail::log::SharedRecords* const records = detail::log::SharedRecords::current();
    return records == nullptr ? LogLevel::off : records->journal.level();
}

}  // namespace procpool
