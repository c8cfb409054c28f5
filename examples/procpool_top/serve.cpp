// SPDX-License-Identifier: BSL-1.0
#include "serve.hpp"

#include "page.hpp"
#include "peer.hpp"

#include <fmt/core.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace procpool_top {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Text = std::shared_ptr<const std::string>;
using namespace std::chrono_literals;

constexpr unsigned max_connections = 64;
constexpr std::uint32_t max_header = 8 * 1024;
constexpr auto patience = 5s;       // with a client that sends a request, or that takes an answer
constexpr auto last_patience = 1s;  // with one that has its answer and goes on sending
constexpr auto period = 100ms;      // between snapshots

/// The text of a source, which is not asked again before the period is over, however many clients there are.
class Kept {
public:
    explicit Kept(const std::function<std::string()>& source) : source_{source} {}

    [[nodiscard]] Text get() {
        if (!text_ || Clock::now() >= old_at_) {
            text_ = std::make_shared<const std::string>(source_());
            old_at_ = Clock::now() + period / 2;  // of two that ask once a period, each gets a new one
        }
        return text_;
    }

private:
    const std::function<std::string()>& source_;
    Text text_;
    Clock::time_point old_at_;
};

/// Throws: std::invalid_argument.
tcp::endpoint endpoint_of(std::string_view address) {
    const std::size_t colon = address.rfind(':');
    const std::string_view host = address.substr(0, colon);
    const std::string_view port = colon == std::string_view::npos ? "" : address.substr(colon + 1);
    std::uint16_t number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool is_v6 = host == "[::1]" || host == "::1";
    if ((!is_v6 && host != "127.0.0.1" && host != "localhost") || port.empty() || error != std::errc{} ||
        end != port.data() + port.size()) {
        throw std::invalid_argument{
            fmt::format("--serve takes 127.0.0.1:PORT, localhost:PORT or [::1]:PORT, since what it shows is for this "
                        "machine only; it does not take '{}'",
                        address)};
    }
    if (is_v6) { return {asio::ip::address_v6::loopback(), number}; }
    return {asio::ip::address_v4::loopback(), number};
}

/// host: of a request, with a port or without: another one than this server's where the connection is forwarded.
bool is_loopback(std::string_view host) {
    for (const std::string_view name : {"127.0.0.1", "localhost", "[::1]"}) {
        if (!beast::iequals(host.substr(0, name.size()), name)) { continue; }
        const std::string_view rest = host.substr(name.size());
        return rest.empty() ||
               (rest.front() == ':' && rest.find_first_not_of("0123456789", 1) == std::string_view::npos);
    }
    return false;
}

std::string header_of(http::status status, std::string_view type, std::string_view fields) {
    const std::string_view reason = http::obsolete_reason(status);
    return fmt::format(
        "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nConnection: close\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
        "Cross-Origin-Resource-Policy: same-origin\r\n{}\r\n",
        static_cast<unsigned>(status), reason, type, fields);
}

constexpr std::string_view plain = "text/plain; charset=utf-8";
constexpr std::string_view no_content = "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n";

struct Answer {
    std::string header;
    Text text;
};

/// fields: more of the header.
Answer answer_of(http::status status, std::string_view type, Text text, std::string_view fields = no_content) {
    return {header_of(status, type, fmt::format("Content-Length: {}\r\n{}", text->size(), fields)), std::move(text)};
}

Answer refusal_of(http::status status, std::string_view reason, std::string_view fields = no_content) {
    return answer_of(status, plain, std::make_shared<const std::string>(fmt::format("{}\n", reason)), fields);
}

/// Returns: the page with a word in it that only this answer has, so that no other script or style can run in it.
Answer page_answer() {
    std::random_device random;
    const std::string nonce = fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
    constexpr std::string_view mark = "{{nonce}}";
    std::string text{page};
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
        text.replace(at, mark.size(), nonce);
    }
    const std::string fields = fmt::format(
        "Content-Security-Policy: default-src 'none'; script-src 'nonce-{0}'; style-src 'nonce-{0}'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'\r\n",
        nonce);
    return answer_of(http::status::ok, "text/html; charset=utf-8", std::make_shared<const std::string>(text), fields);
}

/// Returns: a server-sent event of which each line of the text is one.
Text event_of(std::string_view text) {
    std::string event = "data: ";
    event.reserve(text.size() + 16);
    for (const char c : text) {
        if (c == '\r') { continue; }
        event += c;
        if (c == '\n') { event += "data: "; }
    }
    return std::make_shared<const std::string>(event + "\n\n");
}

class Server {
public:
    Server(const tcp::endpoint& address, const Source& source) : json_{source.json}, metrics_{source.prometheus} {
        acceptor_.open(address.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address{true});
        acceptor_.bind(address);
        acceptor_.listen();
    }

    void run() {
        asio::signal_set signals{io_, SIGINT, SIGTERM};
        signals.async_wait([this](error_code, int) { io_.stop(); });
        asio::co_spawn(io_, accept(), asio::detached);
        const tcp::endpoint address = acceptor_.local_endpoint();
        fmt::print("http://{}:{}/\n", address.address().is_v4() ? "127.0.0.1" : "[::1]", address.port());
        std::fflush(stdout);
        io_.run();
    }

private:
    using Request = http::request_parser<http::empty_body>;
    struct Listener {
        tcp::socket& socket;
        asio::steady_timer changed;  // never goes off: a cancellation tells of a change
        Text event;                  // that has not been taken as a whole
        std::size_t sent = 0;        // of it
        bool ends = false;
    };

    asio::awaitable<void> accept() {
        for (;;) {
            error_code error;
            tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
            if (error) {  // no descriptor is free: one will be, when a client has lost its patience or we ours
                asio::steady_timer pause{io_, period};
                co_await pause.async_wait(asio::use_awaitable);
            } else if (connections_ < max_connections) {
                ++connections_;
                std::shared_ptr<void> place{nullptr, [this](void*) { --connections_; }};
                asio::co_spawn(io_, serve_client(std::move(socket), std::move(place)), asio::detached);
            } else {  // a new socket's buffer has room for so little
                const Answer full =
                    refusal_of(http::status::service_unavailable, "there are too many connections to this server");
                socket.non_blocking(true, error);
                const std::array<asio::const_buffer, 2> parts{asio::buffer(full.header), asio::buffer(*full.text)};
                socket.write_some(parts, error);
            }
        }
    }

    /// One request, and its answer. place: is given back at the end.
    asio::awaitable<void> serve_client(tcp::socket socket, [[maybe_unused]] std::shared_ptr<void> place) {
        const bool may_ask = is_of_this_user(socket);
        beast::tcp_stream stream{std::move(socket)};
        beast::flat_buffer buffer{2 * max_header};
        Request request;
        request.header_limit(max_header);
        error_code error;
        stream.expires_after(patience);
        co_await http::async_read_header(stream, buffer, request, asio::redirect_error(asio::use_awaitable, error));
        Answer answer;
        if (!may_ask) {
            answer = refusal_of(http::status::forbidden, "these programs are another user's");
        } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
            answer = refusal_of(http::status::request_header_fields_too_large, "the request's header is too large");
        } else if (error == http::error::end_of_stream || error == http::error::partial_message) {
            co_return;
        } else if (error && error.category() == make_error_code(http::error::bad_method).category()) {
            answer = refusal_of(http::status::bad_request, "this is no request of HTTP");
        } else if (error) {  // of the connection
            co_return;
        } else {
            answer = answer_to(request);
        }
        const bool has_events = !answer.text;
        stream.expires_after(patience);
        std::array<asio::const_buffer, 2> parts{asio::buffer(answer.header),
                                                has_events ? asio::const_buffer{} : asio::buffer(*answer.text)};
        co_await asio::async_write(stream, parts, asio::use_awaitable);
        if (has_events) { co_await send_events(stream); }

        // A socket that is closed with bytes unread takes the answer back that is still under way.
        stream.socket().shutdown(tcp::socket::shutdown_send, error);
        stream.expires_after(last_patience);
        std::array<char, 4096> ignored;
        while (!error) {
            co_await stream.async_read_some(asio::buffer(ignored), asio::redirect_error(asio::use_awaitable, error));
        }
    }

    /// Returns: an answer without a text for events.
    Answer answer_to(const Request& parser) {
        const auto& request = parser.get();
        if (request.count(http::field::host) != 1) {
            return refusal_of(http::status::bad_request, "a request has one field 'Host'");
        }
        if (!is_loopback(request[http::field::host])) {
            return refusal_of(http::status::forbidden,
                              "this server is asked for as 127.0.0.1, localhost or [::1] only");
        }
        std::string_view path = request.target();
        path = path.substr(0, path.find('?'));
        const bool is_page = path == "/";
        if (!is_page && path != "/snapshot.json" && path != "/metrics" && path != "/events") {
            return refusal_of(http::status::not_found, "here are /, /snapshot.json, /metrics and /events");
        }
        if (request.method() != http::verb::get) {
            return refusal_of(http::status::method_not_allowed, "there is only GET",
                              fmt::format("Allow: GET\r\n{}", no_content));
        }
        if (const std::string_view site = request["Sec-Fetch-Site"];  // what a browser says of the page that asks
            !is_page && !site.empty() && site != "same-origin" && site != "none") {
            return refusal_of(http::status::forbidden, "no other site's page is answered");
        }
        try {
            if (is_page) { return page_answer(); }
            if (path == "/snapshot.json") { return answer_of(http::status::ok, "application/json", json_.get()); }
            if (path == "/metrics") {
                return answer_of(http::status::ok, "text/plain; version=0.0.4; charset=utf-8", metrics_.get());
            }
            return {header_of(http::status::ok, "text/event-stream", no_content), nullptr};
        } catch (const std::exception& failure) {
            return refusal_of(http::status::internal_server_error, failure.what());
        }
    }

    /// Ends when the client has gone, or has taken nothing for as long as our patience lasts, or nothing can be sent.
    asio::awaitable<void> send_events(beast::tcp_stream& stream) {
        Listener self{stream.socket(), asio::steady_timer{io_, Clock::time_point::max()}, nullptr};
        self.socket.non_blocking(true);
        const auto place = listeners_.insert(listeners_.end(), &self);
        const std::shared_ptr<void> listening{nullptr, [this, place](void*) { listeners_.erase(place); }};
        if (!takes_snapshots_) {
            takes_snapshots_ = true;
            asio::co_spawn(io_, take_snapshots(), asio::detached);
        }
        while (!self.ends) {
            if (self.event) {
                stream.expires_after(patience);
                co_await asio::async_write(stream, asio::buffer(*self.event) + self.sent, asio::use_awaitable);
                stream.expires_never();
                self.event = nullptr;
            } else {
                error_code ignored;
                co_await self.changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
            }
        }
    }

    /// Makes an event each period as long as there are listeners.
    asio::awaitable<void> take_snapshots() {
        asio::steady_timer pause{io_};
        for (auto next = Clock::now(); !listeners_.empty();) {
            Text event;
            try {
                event = event_of(*json_.get());
            } catch (const std::exception&) {}  // event: none, which ends them
            for (Listener* const listener : listeners_) { offer(event, *listener); }
            next = std::max(next + period, Clock::now() + period / 2);
            pause.expires_at(next);
            co_await pause.async_wait(asio::use_awaitable);
        }
        takes_snapshots_ = false;
    }

    /// Mostly all of an event is taken at once, which wakes nobody. One that has not taken the last gets none.
    static void offer(const Text& event, Listener& listener) {
        if (listener.event) { return; }
        error_code error;
        const std::size_t sent = event ? listener.socket.write_some(asio::buffer(*event), error) : 0;
        listener.ends = !event || (error && error != asio::error::would_block);
        if (!listener.ends && sent == event->size()) { return; }
        if (!listener.ends) {
            listener.event = event;
            listener.sent = sent;
        }
        listener.changed.cancel();
    }

    // The objects that coroutines refer to are above the context, whose end destroys those that are left.
    Kept json_;
    Kept metrics_;
    unsigned connections_ = 0;
    std::list<Listener*> listeners_;
    bool takes_snapshots_ = false;
    asio::io_context io_{1};
    tcp::acceptor acceptor_{io_};
};

}  // namespace

int serve(std::string_view address, const Source& source) {
    try {
        Server{endpoint_of(address), source}.run();
        return 0;
    } catch (const std::invalid_argument& mistake) {
        fmt::print(stderr, "procpool-top: {}\n", mistake.what());
    } catch (const boost::system::system_error& error) {
        fmt::print(stderr, "procpool-top: cannot serve at {}: {}\n", address, error.code().message());
    }
    return 2;
}

}  // namespace procpool_top
