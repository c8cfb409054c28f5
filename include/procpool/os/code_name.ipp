// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/code_name.hpp>
#include <procpool/os/module_table.hpp>

#include <atomic>
#include <cstdio>
#include <new>
#include <utility>

namespace procpool::inline v0::detail::os {

/// The table of what is loaded in this process. A forked child inherits it with what it describes, and counts on.
class ModulesNow {
public:
    /// Returns: use(table), with a table that was right during the call. Throws: std::bad_alloc; what `use` throws.
    template <class Use>
    auto with_table(const Use& use) {
        const Reading reading{*this};
        const Kept* now = newest_.load(std::memory_order_seq_cst);
        while (now == nullptr || now->table.counts() != LoaderCounts::now()) { now = replace(now); }
        return use(std::as_const(now->table));
    }

    /// Returns: the program itself, which is always loaded; null without memory for it.
    [[nodiscard]] const LoadedModule* program() noexcept {
        // acquire: sees the module that another thread has made.
        const LoadedModule* const known = program_.load(std::memory_order_acquire);
        return known != nullptr ? known : find_program();
    }

private:
    struct Kept {
        ModuleTable table;
        Kept* next;  // of those that were replaced
    };

    /// While it lives, no table is deleted that it might see. A child that was forked meanwhile by another thread
    /// keeps the count, and with it the tables that are replaced: a few kilobytes whenever modules come or go.
    class Reading {
    public:
        explicit Reading(ModulesNow& modules) noexcept : modules_(modules) { modules_.readers_.fetch_add(1); }
        Reading(const Reading&) = delete;
        Reading& operator=(const Reading&) = delete;
        ~Reading() {
            // seq_cst: a thread that finds no reader sees all that the readers have read.
            if (modules_.readers_.fetch_sub(1) == 1 && modules_.replaced_.load(std::memory_order_relaxed) != nullptr) {
                modules_.delete_replaced();
            }
        }

    private:
        ModulesNow& modules_;
    };

    /// Returns: the newest table, made here unless another thread has replaced `seen`. No lock: a child may be forked
    /// at any time.
    [[nodiscard, gnu::cold]] const Kept* replace(const Kept* seen) {
        auto* const fresh = new Kept{ModuleTable::loaded_now(seen != nullptr ? &seen->table : nullptr), nullptr};
        if (!newest_.compare_exchange_strong(seen, fresh)) {
            delete fresh;
            return seen;
        }
        if (seen != nullptr) { push(const_cast<Kept*>(seen), const_cast<Kept*>(seen)); }
        return fresh;
    }

    void push(Kept* first, Kept* last) noexcept {
        last->next = replaced_.load(std::memory_order_relaxed);
        // release: the thread that takes the list sees its links.
        while (!replaced_.compare_exchange_weak(last->next, first, std::memory_order_release,
                                                std::memory_order_relaxed)) {}
    }

    /// The tables of the list were replaced before it was taken; so a reader that comes after the look at the count,
    /// which is later still in the one order of these operations, sees a newer one.
    [[gnu::cold]] void delete_replaced() noexcept {
        Kept* const first = replaced_.exchange(nullptr);
        if (first == nullptr) { return; }
        if (readers_.load() != 0) {
            Kept* last = first;
            while (last->next != nullptr) { last = last->next; }
            push(first, last);
            return;
        }
        for (Kept* table = first; table != nullptr;) { delete std::exchange(table, table->next); }
    }

    [[nodiscard, gnu::cold]] const LoadedModule* find_program() noexcept {
        try {
            auto* const fresh =
                new LoadedModule(with_table([](const ModuleTable& table) { return table.modules().front(); }));
            const LoadedModule* known = nullptr;
            // acq_rel: publishes the module, or sees that of another thread.
            if (program_.compare_exchange_strong(known, fresh, std::memory_order_acq_rel)) { return fresh; }
            delete fresh;
            return known;
        } catch (const std::bad_alloc&) { return nullptr; }
    }

    std::atomic<const Kept*> newest_{nullptr};
    std::atomic<Kept*> replaced_{nullptr};
    std::atomic<std::uint64_t> readers_{0};
    std::atomic<const LoadedModule*> program_{nullptr};
};

inline constinit ModulesNow modules_now;

[[nodiscard]] inline CodeName make_name(const LoadedModule& module, std::uintptr_t address) noexcept {
    const std::uintptr_t offset = address - module.begin;
    if (!module.has_names || offset > UINT32_MAX) { return 0; }
    return std::uint64_t{1} << 63 | std::uint64_t{module.number} << 32 | offset;
}

[[nodiscard]] inline std::uintptr_t find_named(const LoadedModule& module, CodeName name, bool only_code) noexcept {
    const std::uintptr_t address = module.begin + (name & UINT32_MAX);
    const LoadedModule::Part* const part = module.find(address);
    return part != nullptr && (part->is_code || !only_code) ? address : 0;
}

PROCPOOL_DECL CodeName name_of(std::uintptr_t address) noexcept {
    const LoadedModule* const program = modules_now.program();
    if (program == nullptr) { return 0; }
    if (program->find(address) != nullptr) { return make_name(*program, address); }
    try {
        return modules_now.with_table([&](const ModuleTable& table) {
            const LoadedModule* const module = table.at(address);
            return module != nullptr ? make_name(*module, address) : 0;
        });
    } catch (const std::bad_alloc&) { return 0; }
}

[[nodiscard]] PROCPOOL_DECL std::uintptr_t address_named(CodeName name, bool only_code) noexcept {
    const LoadedModule* const program = modules_now.program();
    if (!is_code_name(name) || program == nullptr) { return 0; }
    if (program->number == module_number(name)) { return find_named(*program, name, only_code); }
    try {
        return modules_now.with_table([&](const ModuleTable& table) {
            const LoadedModule* const module = table.numbered(module_number(name));
            return module != nullptr ? find_named(*module, name, only_code) : 0;
        });
    } catch (const std::bad_alloc&) { return 0; }
}

PROCPOOL_DECL std::uintptr_t address_of(CodeName name) noexcept { return address_named(name, false); }

PROCPOOL_DECL std::uintptr_t code_of(CodeName name) noexcept { return address_named(name, true); }

PROCPOOL_DECL bool is_where_linked(std::uintptr_t address) noexcept {
    const LoadedModule* const program = modules_now.program();
    return program != nullptr && program->bias == 0 && program->find(address) != nullptr;
}

inline constexpr std::size_t digits_of_number = 8;

[[nodiscard]] PROCPOOL_DECL std::string number_text(std::uint32_t number) {
    char digits[digits_of_number + 1];
    std::snprintf(digits, sizeof(digits), "%08x", static_cast<unsigned>(number));
    return digits;
}

PROCPOOL_DECL std::string describe_modules() {
    return modules_now.with_table([](const ModuleTable& table) {
        std::string text;
        for (const LoadedModule& module : table.modules()) {
            std::string path = &module == &table.modules().front() ? "the program" : module.path;
            for (char& letter : path) { letter = letter == '\n' ? '?' : letter; }
            text += (module.has_names ? number_text(module.number) : std::string(digits_of_number, '-')) + ' ' +
                    module.build_id + ' ' + path + '\n';
        }
        return text;
    });
}

PROCPOOL_DECL bool is_same_program(std::string_view described) {
    const std::string here = describe_modules();
    const std::string_view program = std::string_view(here).substr(0, here.find('\n') + 1);
    return described.starts_with(program);
}

/// Returns: what is behind the number in the module's line; empty when there is none.
[[nodiscard]] inline std::string_view line_of(CodeName name, std::string_view described) noexcept {
    char number[digits_of_number + 2];
    std::snprintf(number, sizeof(number), "%08x ", static_cast<unsigned>(module_number(name)));
    while (!described.empty()) {
        std::string_view line = described.substr(0, described.find('\n'));
        described.remove_prefix(line.size() == described.size() ? line.size() : line.size() + 1);
        if (line.starts_with(number)) { return line.substr(digits_of_number + 1); }
    }
    return {};
}

PROCPOOL_DECL std::string_view module_of(CodeName name, std::string_view described) noexcept {
    const std::string_view line = line_of(name, described);
    const std::size_t path = line.find(' ');
    return path == std::string_view::npos ? std::string_view{} : line.substr(path + 1);
}

PROCPOOL_DECL std::string build_of(CodeName name) {
    const std::string modules = describe_modules();
    const std::string_view line = line_of(name, modules);
    return std::string(line.substr(0, line.find(' ')));
}

/// Modules that other processes have said to have loaded. Never removed: there are as many as machines that came.
struct ModulesElsewhere {
    std::string described;
    const ModulesElsewhere* next;
};
inline constinit std::atomic<const ModulesElsewhere*> modules_elsewhere{nullptr};

PROCPOOL_DECL void remember_modules(std::string_view described) {
    const ModulesElsewhere* first = modules_elsewhere.load(std::memory_order_acquire);
    for (const ModulesElsewhere* known = first; known != nullptr; known = known->next) {
        if (known->described == described) { return; }
    }
    auto* const fresh = new ModulesElsewhere{std::string(described), first};
    // release: threads that load the first one see all of it.
    while (!modules_elsewhere.compare_exchange_weak(fresh->next, fresh, std::memory_order_release,
                                                    std::memory_order_relaxed)) {}
}

PROCPOOL_DECL std::string explain_name(CodeName name) {
    char offset[32];
    std::snprintf(offset, sizeof(offset), "+0x%llx", static_cast<unsigned long long>(name & UINT32_MAX));
    const std::string here = describe_modules();
    std::string_view path = module_of(name, here);
    const ModulesElsewhere* known = modules_elsewhere.load(std::memory_order_acquire);
    for (; path.empty() && known != nullptr; known = known->next) { path = module_of(name, known->described); }
    return (path.empty() ? "module " + number_text(module_number(name)) : std::string(path)) + offset;
}

}  // namespace procpool::detail::os
