// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// round_trip(): a value to bytes and back, in a buffer that has to grow all the time.

#include <procpool/codec/bytes.hpp>
#include <procpool/codec/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

extern "C" const char __executable_start, _end;  // the linker's names for where the program begins and ends

namespace procpool_test {

inline std::span<const std::byte> shared_memory;

/// While it lives, place() takes `memory` for shared.
class Sharing {
public:
    template <class T, std::size_t Extent>
    explicit Sharing(std::span<T, Extent> memory) {
        shared_memory = std::as_bytes(memory);
    }
    Sharing(const Sharing&) = delete;
    Sharing& operator=(const Sharing&) = delete;
    ~Sharing() { shared_memory = {}; }
};

/// Whether there is memory at `at`. Where sanitizers have theirs, low down, is left out.
inline bool is_memory(std::uintptr_t at) {
    if (at < (std::uintptr_t{1} << 45)) { return false; }
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        char* end = nullptr;
        const std::uintptr_t first = std::strtoull(line.c_str(), &end, 16);
        if (at >= first && at < std::strtoull(end + 1, nullptr, 16)) { return true; }
    }
    return false;
}

/// Code and statics of the test are common, and so is what is no address.
inline procpool::detail::codec::Visibility place(const void* address) {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    const auto within = [at](const void* first, std::size_t size) {
        return at - reinterpret_cast<std::uintptr_t>(first) < size;
    };
    if (within(shared_memory.data(), shared_memory.size())) { return procpool::detail::codec::Visibility::shared; }
    if (within(&__executable_start, static_cast<std::size_t>(&_end - &__executable_start))) {
        return procpool::detail::codec::Visibility::everywhere;
    }
    return is_memory(at) ? procpool::detail::codec::Visibility::this_process
                         : procpool::detail::codec::Visibility::everywhere;
}

/// Grows by no more than it must, into new memory each time, and holds exactly what was written.
class Bytes {
public:
    explicit Bytes(procpool::detail::codec::VisibilityOf where = place)
        : writer(std::span(memory_.get(), 1), grow, this, where) {}

    [[nodiscard]] std::vector<std::byte> written() const {
        const auto used = writer.buffer().first(writer.size());
        return {used.begin(), used.end()};
    }

private:
    static std::span<std::byte> grow(void* owner, std::span<std::byte> current, std::size_t used, std::size_t need) {
        auto larger = std::make_unique<std::byte[]>(need);
        std::memcpy(larger.get(), current.data(), used);
        auto& memory = static_cast<Bytes*>(owner)->memory_;
        memory = std::move(larger);
        return {memory.get(), need};
    }

    std::unique_ptr<std::byte[]> memory_ = std::make_unique<std::byte[]>(1);

public:
    procpool::Writer writer;
};

template <class T>
std::vector<std::byte> to_bytes(const T& value) {
    Bytes bytes;
    procpool::Codec<T>::encode(bytes.writer, value);
    return bytes.written();
}

/// Throws when there are bytes too many.
template <class T>
T from_bytes(std::span<const std::byte> bytes) {
    procpool::Reader reader(bytes);
    T value = procpool::Codec<T>::decode(reader);
    if (reader.remaining() != 0) { throw std::logic_error("decode() left bytes"); }
    return value;
}

/// T must not view memory of the Reader.
template <class T>
T round_trip(const T& value) {
    const auto bytes = to_bytes(value);
    return from_bytes<T>(bytes);
}

/// Returns: what() of the E that f() throws; an explanation when it throws none.
template <class E, class F>
std::string text_thrown(F f) {
    try {
        f();
    } catch (const E& e) { return e.what(); }
    return "nothing was thrown";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace procpool_test
