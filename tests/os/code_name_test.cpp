// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/code_name.hpp>

#include <procpool/os/exit_hook.hpp>
#include <procpool/os/modules.hpp>

#include "os/in_child.hpp"
#include "support/catch.hpp"

#include <dlfcn.h>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

using namespace procpool::detail::os;
using namespace procpool_test;

namespace {

int a_function(int n) { return n + 1; }
const int a_constant = 7;
int a_variable = 8;

template <class T>
std::uintptr_t at(T* address) {
    return reinterpret_cast<std::uintptr_t>(address);
}

bool comes_back(std::uintptr_t address) {
    const CodeName name = name_of(address);
    return is_code_name(name) && !is_code_name(address) && address_of(name) == address;
}

class Plugin {
public:
    explicit Plugin(const char* path) : handle_(::dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
        if (handle_ == nullptr) { throw std::runtime_error(::dlerror()); }
    }
    Plugin(const Plugin&) = delete;
    Plugin& operator=(const Plugin&) = delete;
    ~Plugin() { ::dlclose(handle_); }
    [[nodiscard]] std::uintptr_t function() const { return at(::dlsym(handle_, "procpool_test_build")); }
    [[nodiscard]] std::uintptr_t variable() const { return at(::dlsym(handle_, "procpool_test_static")); }

private:
    void* handle_;
};

}  // namespace

TEST_CASE("code and constants and statics have names that lead back to them") {
    CHECK(comes_back(at(&a_function)));
    CHECK(comes_back(at(&a_constant)));
    CHECK(comes_back(at(&a_variable)));
    CHECK(comes_back(at(&::getppid)));
    CHECK(name_of(at(&a_constant)) != name_of(at(&a_variable)));
    CHECK(module_number(name_of(at(&a_constant))) == module_number(name_of(at(&a_function))));
    CHECK(a_function(1) == 2);
}

TEST_CASE("what is in no module has no name") {
    const int on_stack = 1;
    const auto on_heap = std::make_unique<int>(1);
    for (const std::uintptr_t address :
         {at(&on_stack), at(on_heap.get()), std::uintptr_t{0}, std::uintptr_t{0x1000}, ~std::uintptr_t{0}}) {
        CHECK(name_of(address) == 0);
    }
}

TEST_CASE("names that mean nothing here have no address") {
    const CodeName name = name_of(at(&a_function));
    CHECK(address_of(0) == 0);
    CHECK(address_of(at(&a_function)) == 0);  // an address is no name
    CHECK(address_of(name | UINT32_MAX) == 0);
    CHECK(address_of(name ^ (CodeName{1} << 32)) == 0);
    CHECK(address_of(name & ~(CodeName{1} << 63)) == 0);
}

TEST_CASE("only names of instructions lead to code") {
    CHECK(code_of(name_of(at(&a_function))) == at(&a_function));
    CHECK(code_of(name_of(at(&::getppid))) == at(&::getppid));
    CHECK(code_of(name_of(at(&a_constant))) == 0);
    CHECK(code_of(name_of(at(&a_variable))) == 0);
}

TEST_CASE("libraries have names as long as they are loaded") {
    CodeName function = 0;
    for (int i = 0; i != 3; ++i) {
        const Plugin plugin(PROCPOOL_TEST_PLUGIN_WITH_ID);
        CHECK(comes_back(plugin.function()));
        CHECK(comes_back(plugin.variable()));
        CHECK(code_of(name_of(plugin.function())) == plugin.function());
        CHECK(code_of(name_of(plugin.variable())) == 0);
        if (function != 0) { CHECK(name_of(plugin.function()) == function); }
        function = name_of(plugin.function());
    }
    CHECK(address_of(function) == 0);
    const Plugin other(PROCPOOL_TEST_PLUGIN_OTHER_BUILD);
    CHECK(comes_back(other.function()));
    CHECK(address_of(function) == 0);
}

TEST_CASE("a library that takes the place of another one is not taken for it") {
    std::uintptr_t before = 0;
    CodeName name = 0;
    {
        const Plugin plugin(PROCPOOL_TEST_PLUGIN_WITHOUT_ID);
        before = plugin.function();
        name = name_of(before);
    }
    const Plugin other(PROCPOOL_TEST_PLUGIN_OTHER_BUILD);
    if (other.function() != before) { SUCCEED("the loader has put it elsewhere"); }
    CHECK(name_of(other.function()) != name);
    CHECK(address_of(name) == 0);
}

TEST_CASE("a forked child has the names of its parent and finds what it loads itself") {
    const CodeName name = name_of(at(&a_function));
    const CodeName puts = name_of(at(&::getppid));
    CHECK(in_child([&] {
              if (name_of(at(&a_function)) != name || name_of(at(&::getppid)) != puts) { return 1; }
              const Plugin plugin(PROCPOOL_TEST_PLUGIN_WITH_ID);
              return comes_back(plugin.function()) ? 0 : 2;
          }) == 0);
}

// Not for ThreadSanitizer, which does not see the loader's lock.
TEST_CASE("names are found while other threads load and remove libraries and fork") {
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> readers;
    for (int i = 0; i != 2; ++i) {
        readers.emplace_back([&] {
            while (!stop.load()) {
                if (!comes_back(at(&a_function)) || !comes_back(at(&::getppid))) { ++wrong; }
            }
        });
    }
    for (int i = 0; i != 50; ++i) {
        const Plugin plugin(i % 2 == 0 ? PROCPOOL_TEST_PLUGIN_WITH_ID : PROCPOOL_TEST_PLUGIN_OTHER_BUILD);
        if (!comes_back(plugin.function())) { ++wrong; }
        if (i % 10 != 0) { continue; }
        const int result = in_child([&] {
            hook_exits([](int, bool) noexcept { std::abort(); });  // as all our children do: a reader may hold the lock
            return comes_back(plugin.function()) ? 0 : 1;
        });
        if (result != 0) { ++wrong; }
    }
    stop.store(true);
    for (std::thread& reader : readers) { reader.join(); }
    CHECK(wrong.load() == 0);
}

TEST_CASE("another process learns which program this is and what its names mean") {
    const std::string here = describe_modules();
    CHECK(is_same_program(here));
    CHECK(is_same_program(here.substr(0, here.find('\n') + 1)));
    CHECK_FALSE(is_same_program(here.substr(here.find('\n') + 1)));
    CHECK_FALSE(is_same_program(""));
    CHECK(module_of(name_of(at(&a_function)), here) == "the program");
    // As libraries know it: in a program that is not position-independent its address is one of the program's own.
    CHECK(std::string(module_of(name_of(at(::dlsym(RTLD_NEXT, "getppid"))), here)).find("libc") != std::string::npos);
    CHECK(module_of(name_of(at(&a_function)), "").empty());
    CHECK(module_of(name_of(at(&a_function)), "nonsense").empty());
    CHECK(module_of(name_of(at(&a_function)), here.substr(0, 8)).empty());
}

TEST_CASE("a name that means nothing here is explained by what others have said") {
    CodeName name = 0;
    std::string described;
    {
        const Plugin plugin(PROCPOOL_TEST_PLUGIN_WITH_ID);
        name = name_of(plugin.function());
        described = describe_modules();
        CHECK(explain_name(name).starts_with(PROCPOOL_TEST_PLUGIN_WITH_ID "+0x"));
    }
    char number[9];
    std::snprintf(number, sizeof(number), "%08x", static_cast<unsigned>(module_number(name)));
    CHECK(explain_name(name).starts_with("module " + std::string(number) + "+0x"));
    remember_modules(described);
    remember_modules(described);
    CHECK(explain_name(name).starts_with(PROCPOOL_TEST_PLUGIN_WITH_ID "+0x"));
}

TEST_CASE("a position-independent program is not where it was linked") {
    CHECK(is_where_linked(at(&a_function)) == (at(&a_function) < 0x10000000));  // as programs that are not are linked
    CHECK_FALSE(is_where_linked(at(::dlsym(RTLD_NEXT, "getppid"))));
    CHECK_FALSE(is_where_linked(0));
}
