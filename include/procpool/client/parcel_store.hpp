// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ParcelStore: parcels that have not been collected yet.

#include <procpool/client/parcel.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace procpool::inline v0::detail::client {

/// Keeps parcels by the serial number of their task. Numbers come nearly in order, so neighbours share a page, and
/// there is one allocation for many parcels. Not thread-safe.
class ParcelStore {
public:
    /// Returns: where the parcel lies now. Requires: there is none with this number. Throws: std::bad_alloc.
    Parcel& add(std::uint64_t serial, Parcel&& parcel) {
        Page& page = page_of(serial / per_page);
        ++page.count;
        return page.parcels[serial % per_page] = std::move(parcel);
    }

    /// Returns: nothing if there is none with this number.
    [[nodiscard]] Parcel take(std::uint64_t serial) noexcept {
        const auto found = page_number(serial / per_page);
        if (found == pages_.end()) { return {}; }
        Page& page = *found->second;
        Parcel taken{std::move(page.parcels[serial % per_page])};
        if (taken && --page.count == 0) {
            pages_.erase(found);
            last_ = pages_.end();
        }
        return taken;
    }

    /// Returns: null if there is none with this number; where it lies as long as it is not taken.
    [[nodiscard]] const Parcel* find(std::uint64_t serial) noexcept {
        const auto found = page_number(serial / per_page);
        if (found == pages_.end()) { return nullptr; }
        const Parcel& parcel = found->second->parcels[serial % per_page];
        return parcel ? &parcel : nullptr;
    }

    [[nodiscard]] bool empty() const noexcept { return pages_.empty(); }

private:
    static constexpr std::size_t per_page = 256;
    struct Page {
        std::size_t count = 0;
        std::array<Parcel, per_page> parcels;
    };
    using Pages = std::map<std::uint64_t, std::unique_ptr<Page>>;

    [[nodiscard]] Pages::iterator page_number(std::uint64_t number) noexcept {
        if (last_ == pages_.end() || last_->first != number) { last_ = pages_.find(number); }
        return last_;
    }
    [[nodiscard]] Page& page_of(std::uint64_t number) {
        if (page_number(number) == pages_.end()) {
            last_ = pages_.emplace(number, std::make_unique_for_overwrite<Page>()).first;
        }
        return *last_->second;
    }

    Pages pages_;
    Pages::iterator last_ = pages_.end();
};

}  // namespace procpool::detail::client
