// SPDX-License-Identifier: BSL-1.0
#include "peer.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include <unistd.h>

namespace procpool_top {

namespace {

using Endpoint = boost::asio::ip::tcp::endpoint;

/// Returns: the end as /proc/net/tcp has it: the words of the address as this machine's numbers, and the port.
std::string kernels_name_of(const Endpoint& end) {
    std::string name;
    const auto append = [&name](const auto& bytes) {
        for (std::size_t i = 0; i < bytes.size(); i += 4) {
            std::uint32_t word = 0;
            std::memcpy(&word, bytes.data() + i, sizeof word);
            name += fmt::format("{:08X}", word);
        }
    };
    if (end.address().is_v4()) {
        append(end.address().to_v4().to_bytes());
    } else {
        append(end.address().to_v6().to_bytes());
    }
    return fmt::format("{}:{:04X}", name, end.port());
}

}  // namespace

bool is_of_this_user(const boost::asio::ip::tcp::socket& accepted) {
    boost::system::error_code error;
    const Endpoint ours = accepted.local_endpoint(error);
    if (error) { return false; }
    const Endpoint theirs = accepted.remote_endpoint(error);
    if (error) { return false; }
    std::ifstream table{ours.address().is_v4() ? "/proc/self/net/tcp" : "/proc/self/net/tcp6"};
    const std::string wanted = kernels_name_of(theirs) + ' ' + kernels_name_of(ours);
    for (std::string line; std::getline(table, line);) {
        const std::size_t at = line.find(wanted);
        if (at == std::string::npos) { continue; }
        // Behind the ends: state, bytes in both queues, timer, retransmissions, user.
        std::istringstream rest{line.substr(at + wanted.size())};
        std::string skipped;
        for (int i = 0; i < 4; ++i) { rest >> skipped; }
        std::uint64_t user = 0;
        return static_cast<bool>(rest >> user) && (user == 0 || user == ::geteuid());
    }
    return false;
}

}  // namespace procpool_top
