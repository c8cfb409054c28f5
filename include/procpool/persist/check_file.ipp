// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/persist/check_file.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace procpool::inline v0::detail::persist {

/// Looks at the newest state of a file. The names are those of LMDB's own source.
class FileCheck {
public:
    explicit FileCheck(std::span<const std::byte> file) noexcept : file_(file) {}

    [[nodiscard]] bool passes() {
        if (file_.size() < 2 * least_page) { return false; }
        const std::optional<Meta> first = meta_at(0);
        if (!first) { return false; }
        page_size_ = first->psize;
        if (page_size_ < least_page || page_size_ > most_page || (page_size_ & (page_size_ - 1)) != 0) { return false; }
        if (file_.size() < 2 * std::size_t{page_size_}) { return false; }
        const std::optional<Meta> second = meta_at(page_size_);
        if (!second || second->psize != page_size_) { return false; }
        // A commit writes the page of its number's lowest bit: the newest state has to be where it would be.
        if ((first->txnid & 1) != 0 || (second->txnid != 0 && (second->txnid & 1) == 0)) { return false; }
        const Meta& newest = first->txnid > second->txnid ? *first : *second;
        pages_here_ = file_.size() / page_size_;
        // Pages that a transaction took and gave back were never written: the file may end before the last of them.
        if (newest.last_page < 1 || newest.last_page > 2 * pages_here_ + most_unwritten) { return false; }
        seen_.assign(static_cast<std::size_t>(newest.last_page) + 1, false);
        seen_[0] = seen_[1] = true;
        return check_tree(newest.free, true) && check_tree(newest.main, false);
    }

private:
    static constexpr std::size_t least_page = 4096;
    static constexpr std::size_t most_page = 32768;
    static constexpr std::uint64_t most_unwritten = 1 << 20;
    static constexpr std::size_t page_header = 16;
    static constexpr std::size_t node_header = 8;
    static constexpr std::size_t most_key = 511;
    static constexpr std::uint64_t no_page = ~std::uint64_t{0};
    static constexpr unsigned deepest = 30;  // LMDB's own limit is 32
    static constexpr std::uint16_t branch = 1, leaf = 2, overflow = 4, meta = 8, dirty = 0x10;
    static constexpr std::uint16_t big_data = 1;

    struct Tree {
        std::uint32_t pad;
        std::uint16_t flags;
        std::uint16_t depth;
        std::uint64_t branch_pages;
        std::uint64_t leaf_pages;
        std::uint64_t overflow_pages;
        std::uint64_t entries;
        std::uint64_t root;
    };
    struct Meta {
        std::uint32_t magic;
        std::uint32_t version;
        std::uint64_t address;
        std::uint64_t map_size;
        Tree free;
        Tree main;
        std::uint64_t last_page;
        std::uint64_t txnid;
        std::uint32_t psize;
    };
    static_assert(sizeof(Tree) == 48);

    template <class T>
    [[nodiscard]] T read(std::size_t at) const noexcept {
        T value;
        std::memcpy(&value, file_.data() + at, sizeof(T));
        return value;
    }

    [[nodiscard]] std::optional<Meta> meta_at(std::size_t page) const noexcept {
        constexpr std::uint32_t magic = 0xBEEFC0DE;
        constexpr std::uint32_t version = 1;
        constexpr std::uint16_t integer_keys = 8;
        auto found = read<Meta>(page + page_header);
        found.psize = found.free.pad;
        const auto flags = read<std::uint16_t>(page + 10);
        const bool is_right = (flags & meta) != 0 && found.magic == magic && found.version == version &&
                              (found.free.flags & integer_keys) != 0 && found.main.flags == 0;
        return is_right ? std::optional(found) : std::nullopt;
    }

    /// Returns: whether the page is one of the file's, and was not met before.
    [[nodiscard]] bool take(std::uint64_t page) {
        if (page >= seen_.size() || seen_[static_cast<std::size_t>(page)]) { return false; }
        seen_[static_cast<std::size_t>(page)] = true;
        return true;
    }

    [[nodiscard]] bool check_tree(const Tree& tree, bool is_free) {
        if (tree.root == no_page) { return tree.depth == 0 && tree.entries == 0; }
        if (tree.depth == 0 || tree.depth > deepest) { return false; }
        entries_ = branches_ = leaves_ = overflows_ = 0;
        last_ = {};
        bounds_.clear();
        return check_page(tree.root, tree.depth, is_free) && entries_ == tree.entries &&
               branches_ == tree.branch_pages && leaves_ == tree.leaf_pages && overflows_ == tree.overflow_pages;
    }

    /// left: how many levels there are, with this one.
    [[nodiscard]] bool check_page(std::uint64_t page, unsigned left, bool is_free) {
        if (page >= pages_here_ || !take(page)) { return false; }
        const std::size_t at = static_cast<std::size_t>(page) * page_size_;
        const auto flags = static_cast<std::uint16_t>(read<std::uint16_t>(at + 10) & ~dirty);
        const auto lower = read<std::uint16_t>(at + 12);
        const auto upper = read<std::uint16_t>(at + 14);
        const bool is_leaf = left == 1;
        if (read<std::uint64_t>(at) != page || flags != (is_leaf ? leaf : branch) || lower < page_header ||
            lower % 2 != 0 || upper < lower || upper > page_size_) {
            return false;
        }
        const std::size_t count = (lower - page_header) / 2;
        if (count < (is_leaf ? 1u : 2u)) { return false; }
        std::vector<std::pair<std::size_t, std::size_t>> nodes;
        for (std::size_t i = 0; i != count; ++i) {
            const auto node = std::size_t{read<std::uint16_t>(at + page_header + 2 * i)};
            if (node < upper || node % 2 != 0 || node + node_header > page_size_) { return false; }
            const std::size_t size = is_leaf ? check_leaf(at + node, page_size_ - node, is_free)
                                             : check_branch(at + node, page_size_ - node, i == 0);
            if (size == 0) { return false; }
            nodes.emplace_back(node, node + size);
        }
        // All that is between `upper` and the end of the page belongs to a node, and to one only: LMDB moves it so.
        std::ranges::sort(nodes);
        std::size_t end = upper;
        for (const auto& [from, to] : nodes) {
            if (from != end) { return false; }
            end = to;
        }
        if (end != page_size_) { return false; }
        if (is_leaf) {
            ++leaves_;
            entries_ += count;
            for (std::size_t i = 0; i != count; ++i) {
                const Key key = key_of(at + read<std::uint16_t>(at + page_header + 2 * i));
                if (!last_.empty() && !is_before(last_, key, is_free)) { return false; }
                for (const Key& bound : bounds_) {
                    if (is_before(key, bound, is_free)) { return false; }
                }
                bounds_.clear();
                last_ = key;
            }
            return true;
        }
        ++branches_;
        for (std::size_t i = 0; i != count; ++i) {
            const std::size_t node = at + read<std::uint16_t>(at + page_header + 2 * i);
            if (i != 0) {  // LMDB looks for nothing at the first one's key
                const Key bound = key_of(node);
                if (is_free && bound.size() != sizeof(std::uint64_t)) { return false; }
                if (!is_before(last_, bound, is_free)) { return false; }
                bounds_.push_back(bound);
            }
            const std::uint64_t child = read<std::uint16_t>(node) | std::uint64_t{read<std::uint16_t>(node + 2)} << 16 |
                                        std::uint64_t{read<std::uint16_t>(node + 4)} << 32;
            if (!check_page(child, left - 1, is_free)) { return false; }
        }
        return true;
    }

    using Key = std::span<const std::byte>;

    [[nodiscard]] Key key_of(std::size_t node) const noexcept {
        return file_.subspan(node + node_header, read<std::uint16_t>(node + 6));
    }

    [[nodiscard]] static bool is_before(const Key& a, const Key& b, bool is_free) noexcept {
        if (is_free) {
            std::uint64_t numbers[2];
            std::memcpy(&numbers[0], a.data(), sizeof(std::uint64_t));
            std::memcpy(&numbers[1], b.data(), sizeof(std::uint64_t));
            return numbers[0] < numbers[1];
        }
        return std::ranges::lexicographical_compare(a, b);
    }

    [[nodiscard]] static std::size_t to_even(std::size_t size) noexcept { return (size + 1) & ~std::size_t{1}; }

    /// \{
    /// room: bytes from the node to the end of its page. Returns: the node's size; 0 when it is wrong.
    [[nodiscard]] std::size_t check_branch(std::size_t node, std::size_t room, bool is_first) const noexcept {
        const std::size_t key = read<std::uint16_t>(node + 6);
        const std::size_t size = to_even(node_header + key);
        return key > most_key || (key == 0 && !is_first) || size > room ? 0 : size;
    }

    [[nodiscard]] std::size_t check_leaf(std::size_t node, std::size_t room, bool is_free) {
        const std::size_t data = read<std::uint16_t>(node) | std::size_t{read<std::uint16_t>(node + 2)} << 16;
        const auto flags = read<std::uint16_t>(node + 4);
        const std::size_t key = read<std::uint16_t>(node + 6);
        if (key == 0 || key > most_key || (flags & ~big_data) != 0 || (is_free && key != sizeof(std::uint64_t))) {
            return 0;
        }
        const bool is_big = (flags & big_data) != 0;
        const std::size_t size = to_even(node_header + key + (is_big ? sizeof(std::uint64_t) : data));
        if (size > room) { return 0; }
        std::size_t from = node + node_header + key;
        if (is_big) {
            const std::size_t pages = check_overflow(read<std::uint64_t>(from), data);
            if (pages == 0) { return 0; }
            from = static_cast<std::size_t>(read<std::uint64_t>(from)) * page_size_ + page_header;
        }
        return !is_free || check_free(from, data) ? size : 0;
    }
    /// \}

    /// Returns: how many pages the value has; 0 when they are wrong.
    [[nodiscard]] std::size_t check_overflow(std::uint64_t page, std::size_t data) {
        if (page >= pages_here_) { return 0; }
        const std::size_t at = static_cast<std::size_t>(page) * page_size_;
        const std::size_t pages = read<std::uint32_t>(at + 12);
        if (read<std::uint64_t>(at) != page || (read<std::uint16_t>(at + 10) & ~dirty) != overflow ||
            pages < (page_header - 1 + data) / page_size_ + 1) {
            return 0;
        }
        for (std::size_t i = 0; i != pages; ++i) {
            if (page + i >= pages_here_ || !take(page + i)) { return 0; }
        }
        overflows_ += pages;
        return pages;
    }

    /// A list of free pages: their number, then they themselves, the highest first.
    [[nodiscard]] bool check_free(std::size_t at, std::size_t bytes) {
        if (bytes < sizeof(std::uint64_t) || bytes % sizeof(std::uint64_t) != 0) { return false; }
        const auto count = read<std::uint64_t>(at);
        if (count > bytes / sizeof(std::uint64_t) - 1) { return false; }
        std::uint64_t before = no_page;
        for (std::uint64_t i = 1; i <= count; ++i) {
            const auto page = read<std::uint64_t>(at + static_cast<std::size_t>(i) * sizeof(std::uint64_t));
            if (page >= before || !take(page)) { return false; }
            before = page;
        }
        return true;
    }

    std::span<const std::byte> file_;
    std::uint32_t page_size_ = 0;
    std::uint64_t pages_here_ = 0;
    std::vector<bool> seen_;
    Key last_;                 // of the leaves so far
    std::vector<Key> bounds_;  // that the next key may not come before
    std::uint64_t entries_ = 0, branches_ = 0, leaves_ = 0, overflows_ = 0;
};

inline bool is_whole(std::span<const std::byte> file) { return FileCheck{file}.passes(); }

}  // namespace procpool::detail::persist
