// SPDX-License-Identifier: BSL-1.0
// A server with Boost.Asio's coroutines gives work that needs a processor to a pool: its one thread goes on serving
// meanwhile. A cancellation slot, such as that of `||` with a timer, would kill the task.

#include <procpool/asio.hpp>
#include <procpool/procpool.hpp>

#include <fmt/core.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cstdint>
#include <exception>
#include <string>

namespace asio = boost::asio;
using asio::ip::tcp;

std::uint64_t collatz_steps(std::uint64_t n) {
    std::uint64_t steps = 0;
    for (; n != 1; ++steps) { n = n % 2 == 0 ? n / 2 : 3 * n + 1; }
    return steps;
}
std::uint64_t most_steps_below(std::uint64_t limit) {
    std::uint64_t best = 1;
    for (std::uint64_t n = 1, most = 0; n < limit; ++n) {
        if (const std::uint64_t steps = collatz_steps(n); steps > most) {
            most = steps;
            best = n;
        }
    }
    return best;
}

asio::awaitable<void> serve(tcp::socket client, procpool::Pool& pool) {
    std::string request;
    const std::size_t size =
        co_await asio::async_read_until(client, asio::dynamic_buffer(request), '\n', asio::use_awaitable);
    const std::uint64_t limit = std::stoull(request.substr(0, size));
    const std::uint64_t answer =
        co_await procpool::async_get(pool.apply_async(most_steps_below, limit), asio::use_awaitable);
    co_await asio::async_write(client, asio::buffer(fmt::format("{}\n", answer)), asio::use_awaitable);
}

asio::awaitable<void> ask(tcp::endpoint server, std::uint64_t limit, std::uint64_t& answer) {
    tcp::socket socket{co_await asio::this_coro::executor};
    co_await socket.async_connect(server, asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer(fmt::format("{}\n", limit)), asio::use_awaitable);
    std::string reply;
    co_await asio::async_read_until(socket, asio::dynamic_buffer(reply), '\n', asio::use_awaitable);
    answer = std::stoull(reply);
}

int main() {
    procpool::Pool pool{2};
    asio::io_context io;

    tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    const auto throw_on = [](const std::exception_ptr& error) {
        if (error) { std::rethrow_exception(error); }
    };
    const auto accept = [&]() -> asio::awaitable<void> {
        for (int clients = 0; clients < 3; ++clients) {
            asio::co_spawn(io, serve(co_await acceptor.async_accept(asio::use_awaitable), pool), throw_on);
        }
    };
    asio::co_spawn(io, accept(), throw_on);

    constexpr std::uint64_t limits[]{10, 1'000, 100'000};
    std::uint64_t answers[3]{};
    for (int i = 0; i < 3; ++i) { asio::co_spawn(io, ask(acceptor.local_endpoint(), limits[i], answers[i]), throw_on); }
    io.run();
    for (int i = 0; i < 3; ++i) {
        fmt::print("Below {}, the Collatz sequence of {} is the longest.\n", limits[i], answers[i]);
    }
}
