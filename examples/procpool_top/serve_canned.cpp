// SPDX-License-Identifier: BSL-1.0
// serve_canned ADDRESS FILE: serve() with what stands in the file at the moment as the snapshot. `#` in it stands for
// the number of the snapshot, from 1000001; the metrics say how many there have been. For serve_test.py and
// page_test.py.

#include "serve.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

int main(int argc, char** argv) {
    if (argc != 3) { return 2; }
    std::uint64_t snapshots = 1'000'000;
    const auto json = [&snapshots, path = argv[2]] {
        ++snapshots;
        std::ifstream file{path};
        if (!file) { throw std::runtime_error{"there is no such file"}; }
        std::ostringstream text;
        text << file.rdbuf();
        std::string snapshot = text.str();
        for (std::size_t at = 0; (at = snapshot.find('#', at)) != std::string::npos;) {
            snapshot.replace(at, 1, std::to_string(snapshots));
        }
        return snapshot;
    };
    return procpool_top::serve(argv[1], {json, [&snapshots] { return fmt::format("snapshots {}\n", snapshots); }});
}
