// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/module_table.hpp>

#include "support/catch.hpp"

#include <dlfcn.h>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

using namespace procpool::detail::os;

namespace {

const int a_constant = 7;

LoadedModule make_module(std::uintptr_t begin, std::string build_id, std::uint32_t number) {
    LoadedModule made;
    made.begin = begin;
    made.build_id = std::move(build_id);
    made.number = number;
    made.parts = {{begin, begin + 0x1000, true}, {begin + 0x2000, begin + 0x3000, false}};
    return made;
}

std::string build_id_of_file(const char* path) {
    void* const plugin = ::dlopen(path, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(plugin != nullptr);
    const auto address = reinterpret_cast<std::uintptr_t>(::dlsym(plugin, "procpool_test_build"));
    const auto table = ModuleTable::loaded_now(nullptr);
    const LoadedModule* const module = table.at(address);
    REQUIRE(module != nullptr);
    CHECK(module->path == path);
    const std::string build_id = module->build_id;
    ::dlclose(plugin);
    return build_id;
}

}  // namespace

TEST_CASE("the table of modules begins with the program and knows what is code") {
    const auto table = ModuleTable::loaded_now(nullptr);
    REQUIRE_FALSE(table.modules().empty());
    const LoadedModule& program = table.modules().front();
    CHECK(table.at(reinterpret_cast<std::uintptr_t>(&a_constant)) == &program);
    const auto code = reinterpret_cast<std::uintptr_t>(&build_id_of_file);
    REQUIRE(table.at(code) == &program);
    CHECK(program.find(code)->is_code);
    CHECK_FALSE(program.find(reinterpret_cast<std::uintptr_t>(&a_constant))->is_code);
    CHECK(table.at(reinterpret_cast<std::uintptr_t>(&std::fopen)) != nullptr);
    CHECK(table.at(reinterpret_cast<std::uintptr_t>(&table)) == nullptr);
    CHECK(table.numbered(program.number) == &program);
    for (const LoadedModule& module : table.modules()) { CHECK(module.number == number_of_build(module.build_id)); }
}

TEST_CASE("the loader's counts tell that something was loaded") {
    const LoaderCounts before = LoaderCounts::now();
    CHECK(before == LoaderCounts::now());
    CHECK(before == ModuleTable::loaded_now(nullptr).counts());
    void* const plugin = ::dlopen(PROCPOOL_TEST_PLUGIN_WITH_ID, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(plugin != nullptr);
    CHECK(before != LoaderCounts::now());
    ::dlclose(plugin);
    CHECK(before != LoaderCounts::now());
}

TEST_CASE("a build id is the linker's or else made of the contents") {
    const std::string linkers = build_id_of_file(PROCPOOL_TEST_PLUGIN_WITH_ID);
    const std::string contents = build_id_of_file(PROCPOOL_TEST_PLUGIN_WITHOUT_ID);
    const std::string stripped = build_id_of_file(PROCPOOL_TEST_PLUGIN_STRIPPED);
    const std::string other = build_id_of_file(PROCPOOL_TEST_PLUGIN_OTHER_BUILD);
    CHECK(linkers == "0123456789abcdef");  // given to the linker
    CHECK(contents.size() == 32);
    CHECK(contents == build_id_of_file(PROCPOOL_TEST_PLUGIN_WITHOUT_ID));
    CHECK(contents == stripped);
    CHECK(contents != other);
    CHECK(number_of_build(contents) != number_of_build(other));
}

TEST_CASE("build ids are taken over from an older table unless something was removed") {
    const auto now = ModuleTable::loaded_now(nullptr);
    auto modules = now.modules();
    for (LoadedModule& module : modules) { module.build_id = "taken over"; }
    const ModuleTable older(now.counts(), modules);
    CHECK(ModuleTable::loaded_now(&older).modules().front().build_id == "taken over");
    LoaderCounts removed = now.counts();
    ++removed.removed;
    const ModuleTable before_removal(removed, modules);
    CHECK(ModuleTable::loaded_now(&before_removal).modules().front().build_id == now.modules().front().build_id);
}

TEST_CASE("an address is in a part of a module or in none") {
    const ModuleTable table({}, {make_module(0x100000, "a", 1), make_module(0x10000, "b", 2)});
    const auto begin_at = [&](std::uintptr_t address) {
        const LoadedModule* const module = table.at(address);
        return module == nullptr ? 0 : module->begin;
    };
    CHECK(begin_at(0xffff) == 0);
    CHECK(begin_at(0x10000) == 0x10000);
    CHECK(begin_at(0x10fff) == 0x10000);
    CHECK(begin_at(0x11000) == 0);
    CHECK(begin_at(0x12000) == 0x10000);
    CHECK(begin_at(0x13000) == 0);
    CHECK(begin_at(0x100fff) == 0x100000);
    CHECK(begin_at(0x103000) == 0);
    CHECK(begin_at(~std::uintptr_t{0}) == 0);
}

TEST_CASE("builds with the same number have no names but for the program") {
    const ModuleTable table(
        {}, {make_module(0x10000, "program", 1), make_module(0x20000, "a", 1), make_module(0x30000, "b", 2),
             make_module(0x40000, "c", 2), make_module(0x50000, "b", 2), make_module(0x60000, "d", 3)});
    CHECK(table.numbered(1) == &table.modules()[0]);
    CHECK_FALSE(table.modules()[1].has_names);
    CHECK(table.numbered(2) == nullptr);
    CHECK_FALSE(table.modules()[2].has_names);
    CHECK_FALSE(table.modules()[3].has_names);
    CHECK_FALSE(table.modules()[4].has_names);
    CHECK(table.numbered(3) == &table.modules()[5]);
    CHECK(table.numbered(4) == nullptr);
}

TEST_CASE("a build that is loaded twice has the names of the first") {
    const ModuleTable table({}, {make_module(0x30000, "b", 2), make_module(0x20000, "b", 2)});
    CHECK(table.numbered(2) == &table.modules()[0]);
    CHECK(table.modules()[1].has_names);
}
