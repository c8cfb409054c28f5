// SPDX-License-Identifier: BSL-1.0
// A program that writes values for, and reads them from, another run of itself, whose code and statics are elsewhere:
//     named_program where                 prints where its code is, then describe_modules()
//     named_program write CASE [PLUGIN]   writes bytes, or "refused: " and why
//     named_program read CASE [PLUGIN]    reads bytes, prints what arrived, or "refused: " and why

#include <procpool/codec/bind_front.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/error_code.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/codec/standard.hpp>
#include <procpool/core/exception_note.hpp>
#include <procpool/os/code_name.hpp>
#include <procpool/os/modules.hpp>

#include <dlfcn.h>
#include <array>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <iterator>
#include <source_location>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <tuple>
#include <typeindex>
#include <vector>

#ifndef PROCPOOL_TEST_BUILD
#define PROCPOOL_TEST_BUILD 1
#endif

using namespace procpool;
using namespace procpool::detail;

namespace {

/// As an engine says it whose workers are on other machines.
codec::Visibility place_there(const void* address) {
    using codec::Visibility;
    if (!os::may_be_address(address)) { return Visibility::everywhere; }
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    if (os::name_of(at) != 0) { return os::is_where_linked(at) ? Visibility::everywhere : Visibility::named; }
    return os::is_readable(address) ? Visibility::this_process : Visibility::everywhere;
}

int twice(int n) { return 2 * n + PROCPOOL_TEST_BUILD - 1; }
const char* text_of(int n) { return n == 0 ? "zero" : "more"; }
int table[] = {10, 20, 30};

struct Left {
    virtual ~Left() = default;
    long left = 1;
};
struct Right {
    virtual ~Right() = default;
    virtual long next() { return right + 1; }
    long plus(long n) const { return right + n; }
    long right = 5;
};
struct Both : Left, Right {
    long next() override { return right + 100; }
};
using Plus = long (Both::*)(long) const;
using Next = long (Both::*)();

struct Plain {
    long number;
    long plus(long n) const { return number + n; }
};
struct Handlers {  // an aggregate that was nothing but bytes without its pointers
    int number;
    int (*function)(int);
    Plus method;
};

struct Climate : std::error_category {
    [[nodiscard]] const char* name() const noexcept override { return "climate"; }
    [[nodiscard]] std::string message(int value) const override { return value == 7 ? "warm" : "cold"; }
};
const Climate climate;

struct Lost : std::runtime_error {
    using std::runtime_error::runtime_error;
};

using Call = void (*)(Reader&, Writer&);
const auto shifted = [by = 4](int n) { return n + by; };
template <class F, class... Args>
void run(Reader& in, Writer& out) {
    codec::run_call<F, Args...>(in, out);
}

class Bytes {
public:
    Bytes() : writer(memory_, grow, this, place_there) {}
    [[nodiscard]] std::span<const std::byte> written() const { return writer.buffer().first(writer.size()); }

private:
    static std::span<std::byte> grow(void*, std::span<std::byte>, std::size_t, std::size_t) {
        throw std::length_error("more bytes than expected");
    }
    std::array<std::byte, 4096> memory_{};

public:
    Writer writer;
};

/// Returns: what a call gives that another process has named.
template <class Result>
std::string result_of(Call call, Reader& in) {
    Bytes result;
    call(in, result.writer);
    Reader reader(result.written(), place_there);
    return std::to_string(Codec<Result>::decode(reader));
}

std::exception_ptr lost_exception() {
    std::exception_ptr thrown;
    try {
        try {
            throw std::system_error(std::error_code(7, climate), "outside");
        } catch (...) { std::throw_with_nested(Lost("lost")); }
    } catch (...) { thrown = std::current_exception(); }
    const std::uintptr_t frames[] = {reinterpret_cast<std::uintptr_t>(&twice),
                                     reinterpret_cast<std::uintptr_t>(&text_of)};
    core::note_frames(thrown, frames);
    return thrown;
}

std::string describe(const std::exception_ptr& thrown) {
    std::string text;
    if (const core::ExceptionNote* const note = core::note_of(thrown)) {
        const auto frames = note->frames();
        const bool here = frames.size() == 2 && frames[0] == reinterpret_cast<std::uintptr_t>(&twice) &&
                          frames[1] == reinterpret_cast<std::uintptr_t>(&text_of);
        text = here ? "frames here, " : "frames elsewhere, ";
    }
    try {
        std::rethrow_exception(thrown);
    } catch (const Lost& e) {
        text += std::string("Lost: ") + e.what();
        try {
            std::rethrow_if_nested(e);
        } catch (const std::system_error& inner) {
            text += ", " + std::string(inner.what()) + (inner.code().category() == climate ? ", here" : ", elsewhere");
        }
    } catch (const std::exception& e) { text += std::string("other: ") + e.what(); }
    return text;
}

/// A value of the type T, and what is printed of it.
struct Case {
    const char* name;
    void (*write)(Writer& out);
    std::string (*read)(Reader& in);
};

template <class T>
void write_value(Writer& out, const T& value) {
    Codec<T>::encode(out, value);
}
template <class F>
void write_callable(Writer& out, const F& f) {
    codec::encode_callable<F>(out, f);
}

template <class Made>
struct Closure {
    static void write(Writer& out) { write_callable(out, Made::make()); }
    static std::string read(Reader& in) {
        return std::to_string(codec::decode_callable<decltype(Made::make())>(in)(1));
    }
};
struct CapturedStatic {
    static auto make() {
        return [t = &table[0]](int n) { return t[n]; };
    }
};
struct CapturedFunction {
    static auto make() {
        return [f = &twice](int n) { return f(n); };
    }
};
struct CapturedMethod {
    static auto make() {
        return [m = Plus{&Both::plus}](int n) { return (Both{}.*m)(n); };
    }
};
struct CapturedLiteral {
    static auto make() {
        return [text = "literal"](int n) { return static_cast<int>(text[n]); };
    }
};
struct CapturedLocal {
    static auto make() {
        static thread_local int in_no_module = 3;
        return [local = &in_no_module](int n) { return *local + n; };
    }
};
struct CapturedNumbers {
    static auto make() {
        return [number = 40L, real = 1.5](int n) { return static_cast<int>(number) + n + static_cast<int>(real * 2); };
    }
};
struct NamesStatics {
    static auto make() {
        return [](int n) { return twice(table[n]); };
    }
};
struct StandardBound {
    static auto make() { return std::bind_front(&twice); }
};
struct BoundFunction {
    static auto make() { return bind_front(&twice); }
};
struct StandardMethod {
    static auto make() { return procpool::bind_front(std::mem_fn(&Plain::plus), Plain{6}); }
};

const char* plugin_path = nullptr;
using PluginFunction = int (*)(int);
PluginFunction plugin_function() {
    void* const plugin = ::dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);
    return plugin == nullptr ? nullptr : reinterpret_cast<PluginFunction>(::dlsym(plugin, "procpool_test_build"));
}

const Case cases[] = {
    {"function", [](Writer& out) { write_value<int (*)(int)>(out, &twice); },
     [](Reader& in) { return std::to_string(Codec<int (*)(int)>::decode(in)(21)); }},
    {"reference", [](Writer& out) { write_value(out, std::ref(twice)); },
     [](Reader& in) { return std::to_string(Codec<std::reference_wrapper<int(int)>>::decode(in)(21)); }},
    {"null", [](Writer& out) { write_value<int (*)(int)>(out, nullptr); },
     [](Reader& in) { return std::string(Codec<int (*)(int)>::decode(in) == nullptr ? "null" : "not null"); }},
    {"methods",
     [](Writer& out) {
         write_value<Plus>(out, &Both::plus);  // of the second base, so with an adjustment
         write_value<Next>(out, &Both::next);  // virtual
         write_value<Plus>(out, nullptr);
         write_value<long Both::*>(out, &Both::right);
     },
     [](Reader& in) {
         Both both;
         const auto plus = Codec<Plus>::decode(in);
         const auto next = Codec<Next>::decode(in);
         const bool null = Codec<Plus>::decode(in) == nullptr;
         const auto right = Codec<long Both::*>::decode(in);
         return std::to_string((both.*plus)(2)) + " " + std::to_string((both.*next)()) + (null ? " null " : " - ") +
                std::to_string(both.*right);
     }},
    {"aggregates",
     [](Writer& out) {
         write_value(out, std::vector<Handlers>(2, Handlers{1, &twice, &Both::plus}));
     },
     [](Reader& in) {
         const auto all = Codec<std::vector<Handlers>>::decode(in);
         return std::to_string(all[1].number + all[1].function(10) + (Both{}.*all[1].method)(1000));
     }},
    {"call of a function", [](Writer& out) { codec::encode_call_by_name<int (*)(int), int>(out, &twice, 21); },
     [](Reader& in) { return result_of<int>(&run<int (*)(int), int>, in); }},
    {"call of a method",
     [](Writer& out) {
         codec::encode_call_by_name<long (Plain::*)(long) const, Plain, long>(out, &Plain::plus, {2}, 3);
     },
     [](Reader& in) { return result_of<long>(&run<long (Plain::*)(long) const, Plain, long>, in); }},
    {"code of a lambda",
     [](Writer& out) {
         write_value(out, os::name_of(reinterpret_cast<std::uintptr_t>(&run<decltype(shifted), int>)));
         codec::encode_call_by_name<decltype(shifted), int>(out, shifted, 3);
     },
     [](Reader& in) {
         const auto code = os::code_of(Codec<std::uint64_t>::decode(in));
         return code == 0 ? "not loaded" : result_of<int>(reinterpret_cast<Call>(code), in);
     }},
    {"error codes",
     [](Writer& out) {
         write_value(out, std::make_error_code(std::errc::timed_out));
         write_value(out, std::error_code(7, climate));
         write_value(out, std::error_condition(7, climate));
     },
     [](Reader& in) {
         const bool standard = Codec<std::error_code>::decode(in) == std::errc::timed_out;
         const auto code = Codec<std::error_code>::decode(in);
         const auto condition = Codec<std::error_condition>::decode(in);
         return code.message() +
                (standard && code.category() == climate && condition.category() == climate ? ", here" : ", elsewhere");
     }},
    {"exception", [](Writer& out) { codec::encode_exception(out, lost_exception()); },
     [](Reader& in) { return describe(codec::decode_exception(in)); }},
    {"type and place",
     [](Writer& out) {
         write_value(out, std::type_index(typeid(Lost)));
         write_value(out, std::type_index(typeid(std::runtime_error)));
         write_value(out, std::source_location::current());
     },
     [](Reader& in) {
         const bool own = Codec<std::type_index>::decode(in) == typeid(Lost);
         const bool standard = Codec<std::type_index>::decode(in) == typeid(std::runtime_error);
         const auto place = Codec<std::source_location>::decode(in);
         return std::string(own && standard ? "types, " : "- ") + (place.line() > 100 ? "" : "no ") +
                (std::string(place.file_name()).ends_with("named_program.cpp") ? "place" : "nothing");
     }},
    {"static captured", Closure<CapturedStatic>::write, Closure<CapturedStatic>::read},
    {"function captured", Closure<CapturedFunction>::write, Closure<CapturedFunction>::read},
    {"method captured", Closure<CapturedMethod>::write, Closure<CapturedMethod>::read},
    {"literal captured", Closure<CapturedLiteral>::write, Closure<CapturedLiteral>::read},
    {"local captured", Closure<CapturedLocal>::write, Closure<CapturedLocal>::read},
    {"numbers captured", Closure<CapturedNumbers>::write, Closure<CapturedNumbers>::read},
    {"statics named", Closure<NamesStatics>::write, Closure<NamesStatics>::read},
    {"function in std::bind_front", Closure<StandardBound>::write, Closure<StandardBound>::read},
    {"function in bind_front", Closure<BoundFunction>::write, Closure<BoundFunction>::read},
    {"method in std::mem_fn", Closure<StandardMethod>::write, Closure<StandardMethod>::read},
    {"pointer to a static", [](Writer& out) { write_value<int*>(out, &table[0]); },
     [](Reader& in) { return std::to_string(*Codec<int*>::decode(in)); }},
    {"plugin", [](Writer& out) { write_value(out, plugin_function()); },
     [](Reader& in) {
         if (plugin_path != nullptr) { static_cast<void>(plugin_function()); }
         return std::to_string(Codec<PluginFunction>::decode(in)(1));
     }},
    {"a static for a function",
     [](Writer& out) { write_value(out, os::name_of(reinterpret_cast<std::uintptr_t>(&table))); },
     [](Reader& in) { return std::to_string(Codec<int (*)(int)>::decode(in)(21)); }},
};

int write(const Case& what) {
    Bytes bytes;
    what.write(bytes.writer);
    const auto written = bytes.written();
    return std::fwrite(written.data(), 1, written.size(), stdout) == written.size() ? 0 : 1;
}

int read(const Case& what) {
    std::vector<std::byte> bytes(4096);
    bytes.resize(std::fread(bytes.data(), 1, bytes.size(), stdin));
    Reader in(bytes, place_there);
    std::fputs(what.read(in).c_str(), stdout);
    if (in.remaining() != 0) { std::fputs(" and bytes are left", stdout); }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    register_exception<Lost>();
    if (count < 3) {
        std::printf("%p\n%s", reinterpret_cast<void*>(&twice), os::describe_modules().c_str());
        return 0;
    }
    plugin_path = count > 3 ? arguments[3] : nullptr;
    for (const Case& what : cases) {
        if (std::strcmp(what.name, arguments[2]) != 0) { continue; }
        try {
            return std::strcmp(arguments[1], "write") == 0 ? write(what) : read(what);
        } catch (const CodecError& e) {
            std::printf("refused: %s", e.what());
            return 3;
        }
    }
    return 2;
}
