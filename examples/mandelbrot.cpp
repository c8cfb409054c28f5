// SPDX-License-Identifier: BSL-1.0
// mandelbrot: renders a picture row by row. Rows through the set take many times as long as those beside it; no
// worker waits for another, since each takes more rows when it has finished its last.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <numbers>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Bytes = std::vector<unsigned char>;

// ---- in the workers ------------------------------------------------------------------------------------------------

/// The part of the plane that the picture shows. Plain data, so that a closure can take it along.
struct View {
    std::uint32_t width = 1920;
    std::uint32_t height = 1080;
    std::complex<double> centre{-0.7, 0.0};
    double pixel = 2.6 / 1080;
    int most_steps = 2000;
};

/// How fast z*z + c escapes from 0, or a negative number if it does not.
double escape_time(std::complex<double> c, int most_steps) {
    double x = 0, y = 0, xx = 0, yy = 0;
    for (int step = 0; step < most_steps; ++step) {
        y = 2 * x * y + c.imag();
        x = xx - yy + c.real();
        xx = x * x;
        yy = y * y;
        if (xx + yy > 256) { return step + 1 - std::log2(std::log2(xx + yy) / 8); }  // smooth between whole steps
    }
    return -1;
}

unsigned char shade(double time, double phase) {
    return static_cast<unsigned char>(
        std::lround(127.5 + 127.5 * std::cos(2 * std::numbers::pi * (std::sqrt(time) / 8 + phase))));
}

/// Row y of the picture: red, green and blue of each pixel.
Bytes render_row(const View& view, std::uint32_t y) {
    Bytes row(3 * std::size_t{view.width});  // black
    for (std::uint32_t x = 0; x < view.width; ++x) {
        const std::complex<double> offset{x + 0.5 - view.width / 2.0, view.height / 2.0 - y - 0.5};
        const double time = escape_time(view.centre + view.pixel * offset, view.most_steps);
        if (time < 0) { continue; }
        for (std::size_t colour = 0; colour < 3; ++colour) {
            row[3 * x + colour] = shade(time, 0.45 + 0.1 * static_cast<double>(colour));
        }
    }
    return row;
}

// ---- files ---------------------------------------------------------------------------------------------------------

Bytes big_endian(std::uint32_t number) {
    return {static_cast<unsigned char>(number >> 24), static_cast<unsigned char>(number >> 16),
            static_cast<unsigned char>(number >> 8), static_cast<unsigned char>(number)};
}

void append(Bytes& to, const auto& bytes) { to.insert(to.end(), std::begin(bytes), std::end(bytes)); }

void append_png_chunk(Bytes& png, std::string_view type, const Bytes& content) {
    append(png, big_endian(static_cast<std::uint32_t>(content.size())));
    const std::size_t checked_from = png.size();
    append(png, type);
    append(png, content);
    append(png,
           big_endian(static_cast<std::uint32_t>(crc32_z(0, png.data() + checked_from, png.size() - checked_from))));
}

/// https://www.w3.org/TR/png: a signature, the size, and the compressed pixels, each row behind the number of its
/// filter.
Bytes encode_png(const View& view, const std::vector<Bytes>& rows) {
    Bytes pixels;
    pixels.reserve(rows.size() * (1 + 3 * std::size_t{view.width}));
    for (const Bytes& row : rows) {
        constexpr unsigned char no_filter = 0;
        pixels.push_back(no_filter);
        append(pixels, row);
    }
    Bytes compressed(compressBound(pixels.size()));
    uLongf size = compressed.size();
    if (compress2(compressed.data(), &size, pixels.data(), pixels.size(), Z_BEST_SPEED) != Z_OK) {
        throw std::bad_alloc{};
    }
    compressed.resize(size);

    Bytes header = big_endian(view.width);
    append(header, big_endian(view.height));
    constexpr unsigned char bits = 8, red_green_blue = 2;
    append(header, Bytes{bits, red_green_blue, 0, 0, 0});

    Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    append_png_chunk(png, "IHDR", header);
    append_png_chunk(png, "IDAT", compressed);
    append_png_chunk(png, "IEND", {});
    return png;
}

Bytes encode_ppm(const View& view, const std::vector<Bytes>& rows) {
    Bytes ppm;
    append(ppm, fmt::format("P6 {} {} 255\n", view.width, view.height));
    for (const Bytes& row : rows) { append(ppm, row); }
    return ppm;
}

void write_file(const std::string& path, const Bytes& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) { throw std::runtime_error("cannot write " + path); }
}

// ---- the command line ---------------------------------------------------------------------------------------------

struct Options {
    View view;
    std::size_t workers = 0;
    std::string file = "mandelbrot.png";
};

struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::uint32_t parse_number(std::string_view text, std::uint32_t most) {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number == 0 || number > most) {
        throw UsageError(fmt::format("'{}' is not a number from 1 to {}", text, most));
    }
    return number;
}

Options parse(std::span<char*> arguments) {
    Options options;
    std::vector<std::uint32_t> size;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        const bool has_value = i + 1 < arguments.size();
        if (argument == "-o" && has_value) {
            options.file = arguments[++i];
        } else if (argument == "-w" && has_value) {
            options.workers = parse_number(arguments[++i], procpool::PoolOptions::max_workers);
        } else if (argument.starts_with('-')) {
            throw UsageError(fmt::format("unknown option {}, or its value is missing", argument));
        } else {
            size.push_back(parse_number(argument, 20'000));
        }
    }
    if (size.size() == 2) {
        options.view.width = size[0];
        options.view.height = size[1];
        options.view.pixel = 2.6 / std::min(size[1], size[0]);
    } else if (!size.empty()) {
        throw UsageError("a picture has a WIDTH and a HEIGHT");
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Options options = parse(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
        const View& view = options.view;
        const auto start = std::chrono::steady_clock::now();

        procpool::ProcessPool pool{options.workers};
        const std::vector<Bytes> rows =
            pool.map([view](std::uint32_t y) { return render_row(view, y); }, std::views::iota(0u, view.height));

        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        write_file(options.file, options.file.ends_with(".ppm") ? encode_ppm(view, rows) : encode_png(view, rows));
        fmt::print("{}: {} x {}, workers: {}, rendered in {:.2f} s: {:.0f} rows/s\n", options.file, view.width,
                   view.height, pool.size(), seconds, view.height / seconds);
        return EXIT_SUCCESS;
    } catch (const UsageError& error) {
        fmt::print(stderr, "mandelbrot: {}\nusage: mandelbrot [WIDTH HEIGHT] [-o FILE.png|FILE.ppm] [-w WORKERS]\n",
                   error.what());
        return 2;
    } catch (const std::exception& error) {
        fmt::print(stderr, "mandelbrot: {}\n", error.what());
        return EXIT_FAILURE;
    }
}
