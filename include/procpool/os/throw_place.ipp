// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/backtrace.hpp>
#include <procpool/os/call.hpp>
#include <procpool/os/program_lock.hpp>
#include <procpool/os/segments.hpp>
#include <procpool/os/symbols.hpp>
#include <procpool/os/throw_place.hpp>

#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <cstring>
#include <iterator>
#include <mutex>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace procpool::inline v0::detail::os {

PROCPOOL_DECL void record_throw(const void* object, bool is_pointer) noexcept {
    // relaxed: it is written before there are tasks that throw.
    if (!records_throws.load(std::memory_order_relaxed)) { return; }
    throw_place.object = object;
    throw_place.is_pointer = is_pointer;
    throw_place.count = static_cast<std::uint32_t>(capture_backtrace(throw_place.storage));
}

/// Its virtual table is what NeverThrown's std::type_info gets. The functions have the places in it, and the types,
/// that the runtime library calls them with.
#if defined(_LIBCPP_VERSION)
class ThrowRecorder final : public std::type_info {
public:
    ThrowRecorder() noexcept : std::type_info("") {}
    virtual void noop1() const {}
    virtual void noop2() const {}
    virtual bool can_catch(const std::type_info*, void*& object) const {
        record_throw(object, false);
        return false;
    }
};
#else
class ThrowRecorder final : public std::type_info {
public:
    ThrowRecorder() noexcept : std::type_info("") {}
    bool __do_catch(const std::type_info* type, void** object, unsigned) const override {
        record_throw(*object, type->__is_pointer_p());
        return false;
    }
};
#endif

[[nodiscard]] PROCPOOL_DECL std::size_t page_in_use() noexcept {
    return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// Whether the loader has made that memory of a module read-only when it had relocated it, or it always was.
[[nodiscard]] PROCPOOL_DECL bool is_constant(std::uintptr_t address) noexcept {
    bool constant = false;
    any_segment([&](const Segment& segment) {
        const bool relro = segment.header.p_type == PT_GNU_RELRO;
        std::uintptr_t end = segment.begin() + segment.header.p_memsz;
        if (relro) { end -= end % page_in_use(); }  // only whole pages of it are read-only
        const bool within = address >= segment.begin() && address < end;
        constant = constant ||
                   (within && (relro || (segment.header.p_type == PT_LOAD && (segment.header.p_flags & PF_W) == 0)));
        return false;
    });
    return constant;
}

/// Held while the page of the std::type_info may be writable.
inline constinit ProgramLock intercepting{};

PROCPOOL_DECL void intercept_throws() {
    prepare_backtraces();
    const std::lock_guard one_at_a_time{intercepting};
    const ThrowRecorder recorder;
    std::uintptr_t table = 0;
    std::memcpy(&table, static_cast<const void*>(&recorder), sizeof table);
    const auto address = reinterpret_cast<std::uintptr_t>(&typeid(NeverThrown));
    auto* const word = reinterpret_cast<std::uintptr_t*>(address);
    if (__atomic_load_n(word, __ATOMIC_RELAXED) == table) { return; }
    const std::size_t size = page_in_use();
    auto* const page = reinterpret_cast<void*>(address & ~(size - 1));
    const bool constant = is_constant(address);
    if (constant) {
        call("mprotect", [&] { return ::mprotect(page, size, PROT_READ | PROT_WRITE); });
    }
    // relaxed: the table is as old as the program, and other threads may go on with either.
    __atomic_store_n(word, table, __ATOMIC_RELAXED);
    if (constant) { ::mprotect(page, size, PROT_READ); }
}

PROCPOOL_DECL ThrowPlace take_throw_place(const void* object) noexcept {
    ThrowPlace taken = throw_place;
    throw_place.count = 0;
    if (taken.object != object && !taken.is_pointer) { taken.count = 0; }
    return taken;
}

/// Whether the line is that of a function that was called to throw: the runtime library's last one, or one of the
/// standard library's that throw for others.
[[nodiscard]] PROCPOOL_DECL bool is_line_of_throw(const std::string& line) noexcept {
    constexpr std::string_view names[] = {"__cxa_throw", "__cxa_rethrow", "rethrow_exception(", "std::__throw_"};
    return std::any_of(std::begin(names), std::end(names),
                       [&](std::string_view name) { return line.find(name) != std::string::npos; });
}

/// The same for a line behind such a one: cold parts of functions have no names in libraries that are stripped.
[[nodiscard]] PROCPOOL_DECL bool is_still_line_of_throw(const std::string& line) noexcept {
    return is_line_of_throw(line) || (line.starts_with("? at ") && (line.find("/libstdc++.so") != std::string::npos ||
                                                                    line.find("/libc++.so") != std::string::npos));
}

/// Whether the line is that of a function of the library's own, going by its name and not by its arguments.
[[nodiscard]] PROCPOOL_DECL bool is_line_of_library(const std::string& line) noexcept {
    return std::string_view{line}.substr(0, line.find_first_of("<(")).find("procpool::v0::detail::") !=
           std::string_view::npos;
}

PROCPOOL_DECL std::string describe_throw(std::span<const std::uintptr_t> frames) {
    std::vector<std::string> lines;
    for (const std::uintptr_t frame : frames) { lines.push_back(describe_address(frame)); }
    const auto thrown = std::find_if(lines.begin(), lines.end(), is_line_of_throw);
    if (thrown != lines.end()) {
        lines.erase(lines.begin(), std::find_if_not(thrown, lines.end(), is_still_line_of_throw));
    }
    const auto is_worker = [](const std::string& line) { return line.find("::worker::Loop::") != std::string::npos; };
    lines.erase(std::find_if(lines.begin(), lines.end(), is_worker), lines.end());
    if (!std::all_of(lines.begin(), lines.end(), is_line_of_library)) { std::erase_if(lines, is_line_of_library); }
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        text.append("#").append(std::to_string(i)).append(" ").append(lines[i]).append("\n");
    }
    return text;
}

}  // namespace procpool::detail::os
