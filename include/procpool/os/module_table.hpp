// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ModuleTable: what is loaded in this process, by address and by build.

#include <procpool/core/config.hpp>
#include <procpool/os/segments.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::os {

/// The loader's counts of modules that were loaded and removed: as long as they are the same, so is what is loaded.
struct LoaderCounts {
    unsigned long long loaded = 0;
    unsigned long long removed = 0;

    /// Takes the loader's lock, for some dozens of nanoseconds.
    [[nodiscard]] static LoaderCounts now() noexcept;
    [[nodiscard]] bool operator==(const LoaderCounts&) const = default;
};

/// The program's file, or a library, as it is loaded.
struct LoadedModule {
    struct Part {
        std::uintptr_t begin;
        std::uintptr_t end;
        bool is_code;

        [[nodiscard]] bool holds(std::uintptr_t address) const noexcept { return address >= begin && address < end; }
    };

    std::uintptr_t begin = 0;  ///< of its lowest part
    std::uintptr_t bias = 0;   ///< added by the loader to the addresses in its file
    std::string build_id;      ///< in hexadecimal digits
    std::uint32_t number = 0;  ///< from the build id
    bool has_names = true;     ///< no other build that is loaded has the same number
    std::string path;          ///< of its file; empty for the program
    std::vector<Part> parts;   ///< by address

    [[nodiscard]] const Part* find(std::uintptr_t address) const noexcept {
        for (const Part& part : parts) {
            if (part.holds(address)) { return &part; }
        }
        return nullptr;
    }
};

/// Never changed once it is made.
class ModuleTable {
public:
    /// modules: as they are loaded, the program first; whether they have names is found out here. Throws:
    /// std::bad_alloc.
    ModuleTable(const LoaderCounts& counts, std::vector<LoadedModule> modules);

    /// older: null, or a table of this process, whose build ids are taken over unless something was removed since.
    /// Throws: std::bad_alloc.
    [[nodiscard]] static ModuleTable loaded_now(const ModuleTable* older);

    [[nodiscard]] const LoaderCounts& counts() const noexcept { return counts_; }
    [[nodiscard]] const std::vector<LoadedModule>& modules() const noexcept { return modules_; }
    /// Returns: the module that `address` lies in, or null.
    [[nodiscard]] const LoadedModule* at(std::uintptr_t address) const noexcept;
    /// Returns: the first module that has this number and names, or null.
    [[nodiscard]] const LoadedModule* numbered(std::uint32_t number) const noexcept;

private:
    struct Place {
        std::uintptr_t begin;
        std::uintptr_t end;
        std::size_t module;
    };

    LoaderCounts counts_;
    std::vector<LoadedModule> modules_;
    std::vector<Place> places_;                                     // by address
    std::vector<std::pair<std::uint32_t, std::size_t>> by_number_;  // of modules that have names
};

/// Returns: the number of the module with that build id, 31 bits.
[[nodiscard]] std::uint32_t number_of_build(std::string_view build_id) noexcept;

}  // namespace procpool::detail::os

#if PROCPOOL_BODIES
#include <procpool/os/module_table.ipp>
#endif
