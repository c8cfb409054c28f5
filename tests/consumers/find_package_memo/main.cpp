// SPDX-License-Identifier: BSL-1.0
#include <procpool/memo.hpp>
#include <procpool/procpool.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

int main() {
    const std::filesystem::path directory =
        std::filesystem::temp_directory_path() / ("procpool-consumer-" + std::to_string(::getpid()));
    int hits = 0;
    {
        const procpool::Memo memo{directory};
        const auto twice = memo([](int x) { return x * 2; }, "twice", 1);
        procpool::ProcessPool pool{2};
        if (pool.map(twice, std::vector{1, 21}) != std::vector{2, 42} || twice(21) != 42) { return 1; }
        hits = static_cast<int>(memo.stats().hits);
    }
    std::filesystem::remove_all(directory);
    return hits == 1 ? 0 : 2;
}
