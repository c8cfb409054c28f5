// SPDX-License-Identifier: BSL-1.0
/// \file
/// memo: a file for each result, written beside its place and renamed, by hand: what many programs do.

#include "config.hpp"

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace benchmarks;
using namespace benchmarks::memo;

class Files {
public:
    explicit Files(std::filesystem::path folder) : folder_(std::move(folder)) {
        for (int i = 0; i != 256; ++i) { std::filesystem::create_directories(folder_ / std::to_string(i)); }
    }

    std::string operator()(std::size_t size, int number) const {
        const std::size_t key = std::hash<std::string>{}(std::to_string(size) + ' ' + std::to_string(number));
        const std::string path = (folder_ / std::to_string(key % 256) / std::to_string(key)).string();
        if (auto found = read(path)) { return *std::move(found); }
        std::string result = result_of(size, number);
        const std::string beside = path + '.' + std::to_string(::getpid());
        const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        require(file >= 0 && ::write(file, result.data(), result.size()) == static_cast<ssize_t>(result.size()),
                "write");
        ::close(file);
        require(::rename(beside.c_str(), path.c_str()) == 0, "rename");
        return result;
    }

private:
    static std::optional<std::string> read(const std::string& path) {
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0) { return std::nullopt; }
        struct stat found {};
        require(::fstat(file, &found) == 0, "fstat");
        std::string text(static_cast<std::size_t>(found.st_size), '\0');
        const ssize_t got = ::read(file, text.data(), text.size());
        ::close(file);
        return got == found.st_size ? std::optional(std::move(text)) : std::nullopt;
    }

    std::filesystem::path folder_;
};

}  // namespace

int main(int argc, char** argv) {
    return program(argc, argv, [](const Arguments& arguments) {
        const Directory directory;
        const Files files{directory.path()};
        for (const std::size_t size : sizes) {
            const Times times = measure(size, arguments.pick(100, 2000, 5000), files);
            report(hit(size), times.hit, "ns");
            report(kept(size), times.kept, "ns");
        }
    });
}
