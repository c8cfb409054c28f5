// SPDX-License-Identifier: BSL-1.0
#include <procpool/shm/pages.hpp>

#include "support/catch.hpp"

#include <cstddef>

using procpool::detail::shm::Pages;

namespace {

constexpr std::size_t page = 4096;

}  // namespace

TEST_CASE("pages are there from the first touch until they are removed") {
    Pages pages;
    CHECK(pages.bytes_touched(0, 1000 * page) == 0);
    pages.add(page + 1, page);  // the second and the third
    CHECK(pages.bytes_touched(0, 1000 * page) == 2 * page);
    CHECK(pages.bytes_touched(0, page) == 0);
    CHECK(pages.bytes_touched(page - 1, 2) == page);
    pages.remove(page, 2 * page);
    CHECK(pages.bytes_touched(0, 1000 * page) == 0);
}

TEST_CASE("a page that lies only partly within a range stays when the range is removed") {
    Pages pages;
    pages.add(0, 4 * page);
    CHECK(pages.bytes_within(1, 3 * page) == 2 * page);
    pages.remove(1, 3 * page);  // the second and the third
    CHECK(pages.bytes_touched(0, 4 * page) == 2 * page);
    CHECK(pages.bytes_within(0, page) == page);
}

TEST_CASE("ranges of many pages are counted whatever words their bits lie in") {
    Pages pages;
    pages.add(60 * page, 200 * page);
    CHECK(pages.bytes_touched(0, 1000 * page) == 200 * page);
    CHECK(pages.bytes_within(62 * page, 130 * page) == 130 * page);
    pages.remove(62 * page, 130 * page);
    CHECK(pages.bytes_touched(0, 1000 * page) == 70 * page);
}
