// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/file_system.hpp>

#include "support/catch.hpp"

#include <system_error>

using namespace procpool::detail;

TEST_CASE("file systems that machines share are told by their number") {
    CHECK(os::name_of_shared_file_system(0x6969) == "NFS");
    CHECK(os::name_of_shared_file_system(0xffffffffff534d42) == "CIFS");  // a negative number of the kernel's
    CHECK(os::name_of_shared_file_system(0x01021994).empty());            // tmpfs
    CHECK(os::name_of_shared_file_system(0xef53).empty());                // ext4
    CHECK(os::shared_file_system_of("/tmp").empty());
    CHECK_THROWS_AS(os::shared_file_system_of("/nonexistent"), std::system_error);
    CHECK_FALSE(os::is_full("/nonexistent"));
    CHECK_FALSE(os::is_full("/tmp"));
}

TEST_CASE("the boot has a name that stays") {
    CHECK(os::boot_name().size() == 36);
    CHECK(os::boot_name() == os::boot_name());
}
