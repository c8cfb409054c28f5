// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/codec/exception_details.hpp>

#include <procpool/core/error.hpp>
#include <procpool/core/exception_note.hpp>
#include <procpool/os/throw_place.hpp>

#include <utility>

namespace procpool::inline v0 {

namespace detail::codec {

/// Calls ask(e) for the exception in `thrown`, which is handled meanwhile. Returns: an empty answer where there is
/// none.
template <class Ask>
[[nodiscard]] auto ask_thrown(const std::exception_ptr& thrown, Ask ask) {
    using Answer = decltype(ask(std::declval<const std::exception&>()));
    if (thrown == nullptr) { return Answer{}; }
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& e) { return ask(e); } catch (...) {
        return Answer{};
    }
}

}  // namespace detail::codec

[[gnu::cold]] PROCPOOL_DECL std::optional<std::size_t> item_of(const std::exception& e) noexcept {
    if (const detail::core::ExceptionNote* const note = detail::core::note_of(e); note != nullptr && note->item()) {
        return note->item();
    }
    if (const auto* const died = dynamic_cast<const WorkerDied*>(&e)) { return died->item(); }
    const auto* const timed_out = dynamic_cast<const TaskTimedOut*>(&e);
    return timed_out == nullptr ? std::nullopt : timed_out->item();
}

[[gnu::cold]] PROCPOOL_DECL std::optional<std::size_t> item_of(const std::exception_ptr& e) noexcept {
    if (const detail::core::ExceptionNote* const note = detail::core::note_of(e); note != nullptr && note->item()) {
        return note->item();
    }
    return detail::codec::ask_thrown(e, [](const std::exception& thrown) { return item_of(thrown); });
}

[[gnu::cold]] PROCPOOL_DECL std::string backtrace_of(const std::exception& e) {
    const auto* const died = dynamic_cast<const WorkerDied*>(&e);
    if (died != nullptr && !died->backtrace().empty()) { return died->backtrace(); }
    const detail::core::ExceptionNote* const note = detail::core::note_of(e);
    return note == nullptr ? std::string{} : detail::os::describe_throw(note->frames());
}

[[gnu::cold]] PROCPOOL_DECL std::string backtrace_of(const std::exception_ptr& e) {
    return detail::codec::ask_thrown(e, [](const std::exception& thrown) { return backtrace_of(thrown); });
}

}  // namespace procpool
