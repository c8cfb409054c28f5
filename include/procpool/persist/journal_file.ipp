// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/persist/journal_file.hpp>

#include <procpool/core/error.hpp>
#include <procpool/core/fault_point.hpp>
#include <procpool/persist/checksum.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

namespace procpool::inline v0::detail::persist {

/// Begins a record, as it lies in the file.
struct RecordHead {
    static constexpr std::uint32_t magic = 0xc3'4a'52'b1;

    std::uint32_t mark;  ///< magic
    std::uint32_t kind;
    std::uint64_t first;
    std::uint64_t count;
    std::uint64_t size;  ///< of the results
    std::uint64_t body;  ///< checksum of what follows
    std::uint64_t head;  ///< checksum of all that, and of where it lies

    [[nodiscard]] std::uint64_t checksum(std::uint64_t seed, std::uint64_t offset) const noexcept {
        return checksum_of({reinterpret_cast<const std::byte*>(this), sizeof *this - sizeof head}, seed + offset);
    }
    [[nodiscard]] bool is_whole(std::uint64_t seed, std::uint64_t offset) const noexcept {
        return mark == magic && kind >= static_cast<std::uint32_t>(RecordKind::values) &&
               kind <= static_cast<std::uint32_t>(RecordKind::failures) && head == checksum(seed, offset);
    }
};
static_assert(sizeof(RecordHead) == 48 && std::is_trivially_copyable_v<RecordHead>, "it is in files");

/// The head of a journal: a line that people can read, the size of all of it, the five texts, and a checksum.
struct JournalHead {
    static constexpr std::string_view line = "procpool journal 1\n";
    static constexpr std::size_t texts = 5;
    static constexpr std::uint64_t largest = std::uint64_t{1} << 32;

    using Texts = std::array<std::string_view, texts>;
    [[nodiscard]] static Texts texts_of(const JournalIdentity& of) noexcept {
        return {of.call, of.results, of.items, of.code, of.function};
    }

    [[nodiscard]] static std::vector<std::byte> write(const JournalIdentity& identity) {
        std::vector<std::byte> bytes;
        const auto add = [&bytes](const void* from, std::size_t size) {
            const auto* const begin = static_cast<const std::byte*>(from);
            bytes.insert(bytes.end(), begin, begin + size);
        };
        const auto add_number = [&add](std::uint64_t number) { add(&number, sizeof number); };
        add(line.data(), line.size());
        add_number(0);
        for (const std::string_view text : texts_of(identity)) {
            add_number(text.size());
            add(text.data(), text.size());
        }
        const std::uint64_t size = bytes.size() + sizeof(std::uint64_t);
        std::memcpy(bytes.data() + line.size(), &size, sizeof size);
        add_number(checksum_of(bytes));
        return bytes;
    }

    /// Returns: the texts; nothing when the bytes are no head.
    [[nodiscard]] static std::optional<Texts> read(std::span<const std::byte> bytes) noexcept {
        std::uint64_t number = 0;
        if (bytes.size() < line.size() + 2 * sizeof number) { return std::nullopt; }
        const auto body = bytes.first(bytes.size() - sizeof number);
        std::memcpy(&number, bytes.data() + body.size(), sizeof number);
        if (number != checksum_of(body)) { return std::nullopt; }
        Texts found;
        std::size_t at = line.size() + sizeof number;
        for (std::string_view& text : found) {
            if (body.size() - at < sizeof number) { return std::nullopt; }
            std::memcpy(&number, body.data() + at, sizeof number);
            at += sizeof number;
            if (number > body.size() - at) { return std::nullopt; }
            text = {reinterpret_cast<const char*>(body.data() + at), static_cast<std::size_t>(number)};
            at += static_cast<std::size_t>(number);
        }
        return found;
    }
};

PROCPOOL_DECL std::uint64_t JournalFile::Body::checksum_of_item(std::size_t i) const noexcept {
    std::uint64_t checksum = 0;
    std::memcpy(&checksum, bytes.data() + i * sizeof checksum, sizeof checksum);
    return checksum;
}

PROCPOOL_DECL JournalFile::JournalFile(const std::string& path, const JournalIdentity& identity) : path_(path) {
    open();
    reach(FaultPoint::journal_opened);
    const std::vector<std::byte> head = JournalHead::write(identity);
    seed_ = checksum_of(head);
    std::vector<std::byte> found(head.size());
    found.resize(file_.read(found, 0));
    if (found == head) {
        end_ = head.size();
        scan();
    } else if (found.size() < head.size() && std::equal(found.begin(), found.end(), head.begin())) {
        begin(head);  // a new file, or one whose program died at this step
    } else {
        refuse(identity);
    }
}

PROCPOOL_DECL JournalFile::~JournalFile() {
    if (is_mine()) { file_.unlock(); }  // children that were forked meanwhile have the file, too
}

PROCPOOL_DECL void JournalFile::open() {
    do {
        try {
            file_ = os::AppendFile{path_};
        } catch (const std::system_error& e) {
            if (e.code().value() != EISDIR) {
                throw std::system_error(e.code(), "procpool: cannot open the journal " + path_);
            }
        }
        if (!file_.is_regular()) {
            throw std::invalid_argument("procpool: MapOptions::journal must be an ordinary file, which " + path_ +
                                        " is not");
        }
        if (!file_.try_lock()) { throw JournalBusy("procpool: another call has the journal " + path_ + " open"); }
    } while (!file_.is_at(path_));  // another call had it, and has removed it
}

PROCPOOL_DECL void JournalFile::begin(std::span<const std::byte> head) {
    int error = file_.cut(0);
    if (error == 0) { error = file_.write({head}); }
    if (error != 0) {
        throw std::system_error(error, std::system_category(), "procpool: cannot write the journal " + path_);
    }
    end_ = head.size();
    reach(FaultPoint::journal_begun);
}

/// Throws: JournalMismatch, which says what differs.
PROCPOOL_DECL void JournalFile::refuse(const JournalIdentity& identity) const {
    constexpr std::size_t start = JournalHead::line.size() + sizeof(std::uint64_t);
    const std::uint64_t file_size = file_.size();
    std::vector<std::byte> found(start);
    found.resize(file_.read(found, 0));
    std::optional<JournalHead::Texts> texts;
    if (found.size() == start && std::memcmp(found.data(), JournalHead::line.data(), JournalHead::line.size()) == 0) {
        std::uint64_t size = 0;
        std::memcpy(&size, found.data() + JournalHead::line.size(), sizeof size);
        if (size <= file_size && size <= JournalHead::largest) {
            found.resize(static_cast<std::size_t>(size));
            found.resize(file_.read(found, 0));
            texts = JournalHead::read(found);
        }
    }
    const std::string start_of_text = "procpool: " + path_ + " is no journal of this call: ";
    if (!texts) { throw JournalMismatch(start_of_text + "it is another file, or its beginning is damaged"); }
    const JournalHead::Texts wanted = JournalHead::texts_of(identity);
    constexpr std::array<std::string_view, JournalHead::texts> names = {
        "of a call of another kind", "of results of another type", "of items of another type",
        "of another build, version or place in the program",
        "of another function, or one that captured or was bound to other values, or has another seed"};
    std::size_t differs = 0;
    while (differs + 1 < names.size() && (*texts)[differs] == wanted[differs]) { ++differs; }
    std::string text = start_of_text + "it is " + std::string(names[differs]);
    if (differs + 1 < names.size()) {
        text += " (" + std::string((*texts)[differs]) + ", not " + std::string(wanted[differs]) + ")";
    }
    text += "; remove it, or give this call a journal of its own";
    if (names[differs].starts_with("of another build")) {
        text += "; with MapOptions::journal_version a rebuild goes on with it";
    }
    throw JournalMismatch(text);
}

/// A part of the file in memory, which moves on.
class FileWindow {
public:
    explicit FileWindow(const os::AppendFile& file) : file_(file), bytes_(std::size_t{256} << 10) {}

    /// Returns: `count` bytes from there, which the file has.
    [[nodiscard]] const std::byte* at(std::uint64_t offset, std::size_t count) {
        if (offset < begin_ || offset + count > begin_ + filled_) {
            begin_ = offset;
            filled_ = file_.read(bytes_, offset);
        }
        return bytes_.data() + (offset - begin_);
    }

private:
    const os::AppendFile& file_;
    std::vector<std::byte> bytes_;
    std::uint64_t begin_ = 0;
    std::size_t filled_ = 0;
};

/// Effects: finds the records. Behind a head that is damaged it looks for the next one that is whole, byte by byte.
PROCPOOL_DECL void JournalFile::scan() {
    const std::uint64_t size = file_.size();
    FileWindow window{file_};
    std::uint64_t offset = end_;
    while (size - offset >= sizeof(RecordHead)) {
        RecordHead head;
        std::memcpy(&head, window.at(offset, sizeof head), sizeof head);
        if (!head.is_whole(seed_, offset)) {
            ++offset;
            continue;
        }
        const std::uint64_t left = size - offset - sizeof head;
        if (head.count > left / sizeof(std::uint64_t) || head.size > left - head.count * sizeof(std::uint64_t)) {
            break;  // its end is not there, and nothing was written behind it
        }
        records_.push_back({static_cast<RecordKind>(head.kind), static_cast<std::uint32_t>(records_.size()), head.first,
                            head.count, offset, head.size});
        offset += sizeof head + head.count * sizeof(std::uint64_t) + head.size;
        end_ = offset;
    }
    if (end_ == size) { return; }
    if (file_.cut(end_) != 0) { end_ = size; }
    reach(FaultPoint::journal_cut);
}

PROCPOOL_DECL bool JournalFile::read(const JournalRecord& record, Body& body) const {
    RecordHead head;
    body.count = static_cast<std::size_t>(record.count);
    body.bytes.resize(body.count * sizeof(std::uint64_t) + static_cast<std::size_t>(record.size));
    try {
        return file_.read(std::as_writable_bytes(std::span{&head, 1}), record.offset) == sizeof head &&
               head.is_whole(seed_, record.offset) &&
               file_.read(body.bytes, record.offset + sizeof head) == body.bytes.size() &&
               head.body == checksum_of(body.results(), checksum_of(body.items()));
    } catch (const std::system_error&) { return false; }  // the disk is damaged
}

PROCPOOL_DECL int JournalFile::append(RecordKind kind, std::uint64_t first, std::span<const std::uint64_t> items,
                                      std::span<const std::byte> results) noexcept {
    const std::span item_bytes = std::as_bytes(items);
    RecordHead head{.mark = RecordHead::magic,
                    .kind = static_cast<std::uint32_t>(kind),
                    .first = first,
                    .count = items.size(),
                    .size = results.size(),
                    .body = checksum_of(results, checksum_of(item_bytes)),
                    .head = 0};
    head.head = head.checksum(seed_, end_);
    const int error = file_.write({std::as_bytes(std::span{&head, 1}), item_bytes, results});
    if (error == 0) {
        end_ += sizeof head + item_bytes.size() + results.size();
    } else if (file_.cut(end_) != 0) {
        try {
            end_ = file_.size();
        } catch (const std::system_error&) {}  // what is written at another place than it says is no record
    }
    return error;
}

PROCPOOL_DECL int JournalFile::remove() noexcept { return os::remove_file(path_); }

}  // namespace procpool::detail::persist
