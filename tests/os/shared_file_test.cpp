// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/shared_file.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"
#include "support/events.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <csignal>
#include <string>

using namespace procpool::detail::os;
using namespace procpool_test;

namespace {

struct TemporaryFile {
    std::string path = "/tmp/procpool-file-XXXXXX";

    TemporaryFile() {
        const int made = ::mkstemp(path.data());
        REQUIRE(made >= 0);
        ::close(made);
    }
    ~TemporaryFile() { ::unlink(path.c_str()); }
};

}  // namespace

TEST_CASE("a file that processes map is one memory on blocks of its own") {
    const TemporaryFile file;
    const SharedFile mine{file.path.c_str(), 10000};
    struct stat found {};
    REQUIRE(::stat(file.path.c_str(), &found) == 0);
    CHECK(found.st_size == 10000);
    CHECK(found.st_blocks * 512 >= 10000);
    CHECK(in_child([&] {
              const SharedFile same{file.path.c_str(), 10000};
              same.data()[9999] = std::byte{7};
              return 0;
          }) == 0);
    CHECK(mine.data()[9999] == std::byte{7});
    const FileView view{file.path.c_str()};
    CHECK(view.bytes().size() == 10000);
    CHECK(view.bytes()[9999] == std::byte{7});
    CHECK(FileView{"/nonexistent/file"}.bytes().empty());
    CHECK_THROWS_AS((SharedFile{"/nonexistent/file", 10}), std::system_error);
}

TEST_CASE("a lock that one has alone keeps others away until it is shared or its holder dies") {
    const TemporaryFile file;
    SharedPage page;
    const Gate held{page};
    const Gate may_share{page};
    const Gate shared{page};
    const pid_t child = start_child([&] {
        FileLock lock{file.path.c_str()};
        if (!lock.try_alone()) { return 1; }
        held.set();
        may_share.wait();
        shared.set();
        lock.share();
        for (;;) { ::pause(); }
        return 0;
    });
    FileLock mine{file.path.c_str()};
    held.wait();
    CHECK(!mine.try_alone());
    may_share.set();
    mine.share();
    CHECK(shared.is_set());
    mine.release();
    CHECK(!mine.try_alone());
    ::kill(child, SIGKILL);
    CHECK(wait_for_child(child) == SIGKILL);
    CHECK(mine.try_alone());
    // Another descriptor of the file that is closed takes nothing away.
    ::close(::open(file.path.c_str(), O_RDWR | O_CLOEXEC));
    CHECK(in_child([&] { return FileLock{file.path.c_str()}.try_alone() ? 1 : 0; }) == 0);
}

TEST_CASE("a file that a library opens gets no number of a standard stream") {
    CHECK(in_child([] {
              ::close(0);
              ::close(2);
              int number = -1;
              {
                  const NumbersOfStreams held;
                  number = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
              }
              if (number <= 2) { return 1; }
              return ::fcntl(0, F_GETFD) == -1 && ::fcntl(2, F_GETFD) == -1 ? 0 : 2;
          }) == 0);
}

TEST_CASE("a stamp tells whether a file is the same and was changed") {
    const TemporaryFile file;
    const FileStamp before = stamp_of(file.path.c_str());
    CHECK(before.inode != 0);
    CHECK(before.size == 0);
    const int number = ::open(file.path.c_str(), O_WRONLY | O_CLOEXEC);
    CHECK(stamp_of(number).is_same_file(before));
    reserve_file(number, 5000);
    CHECK(stamp_of(number).size == 5000);
    reserve_file(number, 10);
    CHECK(stamp_of(number).size == 5000);
    ::close(number);
    CHECK(stamp_of("/nonexistent/file").inode == 0);
    CHECK(!stamp_of("/tmp").is_same_file(before));
    CHECK(has_address_space(1 << 20));
    CHECK(!has_address_space(std::size_t{1} << 62));
}
