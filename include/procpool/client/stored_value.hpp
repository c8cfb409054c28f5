// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// StoredValue: a value that is sent to each pool once, and that tasks refer to.

#include <procpool/client/client_ref.hpp>
#include <procpool/client/reference.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/task/extents.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace procpool::inline v0::detail::client {

class Client;

/// As it travels: a StoredValue of the receiver's own memory, bytes that follow, or memory of the receiver's board.
struct StoredValueAt {
    enum class Where : std::uint64_t { here, follows, on_board };
    Where where;
    std::uint64_t number;  ///< on_board: of the memory, see Client::next_call()
    std::uint64_t place;   ///< here: the StoredValue; on_board: the address, where the client is
    std::uint64_t size;
};

/// The part of a value that does not depend on its type: where its bytes are. Its users share it: handles, tasks that
/// refer to it, and workers that have decoded it. A forked child inherits it, and gives nothing up.
/// Called by: any thread; members that say so by the process that made it alone.
class StoredValue : public std::enable_shared_from_this<StoredValue> {
public:
    StoredValue(const StoredValue&) = delete;
    StoredValue& operator=(const StoredValue&) = delete;
    virtual ~StoredValue();

    /// Effects: writes where the receiver finds the value, or its bytes if it cannot be told where: `out` then writes
    /// something else than arguments of a task, or for other machines. What the task refers to stays until it has left
    /// its slot. Throws: std::logic_error when the pool is gone, or in a child; any exception of the Codec;
    /// SharedMemoryExhausted.
    void write(Writer& out);

    /// Returns: where it is for the workers of a client. Requires: arguments for that have been written, and refer to
    /// it as long as the call lasts.
    [[nodiscard]] Reference reference_for(const Client& client) const;

    /// Returns: the encoded value. Throws: std::logic_error when it cannot be read, or not any more.
    [[nodiscard]] std::span<const std::byte> bytes() const;

    /// Whether this process has made it.
    [[nodiscard]] bool is_mine() const noexcept { return os::is_process(owner_); }

protected:
    /// Of put(), for workers of that pool.
    explicit StoredValue(Client& home);
    /// Of a worker, whose board has the bytes.
    StoredValue(const task::Extents& memory, std::uint64_t number, std::span<const std::byte> bytes);
    /// Of the bytes that have come with a task.
    explicit StoredValue(std::span<const std::byte> bytes);

    /// Effects: has the value encoded for the workers of the pool that it was put to. Called by: put().
    void encode_at_home();
    /// Effects: appends the value's bytes. Throws: any exception of the Codec; std::logic_error.
    virtual void encode(Writer& out) const = 0;
    /// Throws: std::logic_error when the pool that it was put to is gone.
    void require_pool() const {
        if (home_ && is_mine()) { require_home(); }
    }
    [[nodiscard]] bool has_bytes() const noexcept { return has_bytes_; }
    /// Whether the bytes have been where they are all the time. Called by: who has read them.
    [[nodiscard]] bool had_bytes() const noexcept;
    /// Whether this process inherits the value, and the one that made it may give the bytes up at any moment.
    [[nodiscard]] bool may_lose_bytes() const noexcept { return memory_ != nullptr && !is_mine(); }

private:
    /// Where the value is for the workers of a pool.
    struct Place {
        ClientRef pool;
        std::uint64_t number;
        task::Extents::Run memory;
        std::span<const std::byte> bytes;
    };

    static void give_up(const Place& place) noexcept;
    void require_home() const;
    [[nodiscard]] StoredValueAt place_on(Client& client);
    [[nodiscard]] Place encode_for(Client& client) const;
    void write_bytes(Writer& out) const;

    const os::Token owner_ = os::process_token();
    ClientRef home_;                         // of put()
    const task::Extents* memory_ = nullptr;  // that has the bytes, under this number; null: own_
    std::uint64_t number_ = 0;
    std::span<const std::byte> bytes_;           // where has_bytes_
    codec::VisibilityOf encoded_for_ = nullptr;  // whose addresses are in them; null: unknown
    bool has_bytes_ = false;
    std::vector<std::byte> own_;
    mutable std::mutex mutex_;
    std::vector<Place> places_;  // the first is the home's, where memory_ is
};

/// Returns: where the value is that write() has written.
[[nodiscard]] StoredValueAt read_stored(Reader& in);
/// Returns: what this worker keeps of that value; null when it keeps nothing. Throws: CodecError outside of tasks.
[[nodiscard]] std::shared_ptr<const void> kept_stored(const StoredValueAt& at);
/// Returns: its bytes, in the memory of this worker's machine. Throws: CodecError outside of tasks, and when they are
/// not there.
[[nodiscard]] std::span<const std::byte> bytes_of_stored(const StoredValueAt& at);
/// Effects: this worker keeps it for later tasks. bytes: what it was made of.
void keep_stored(const StoredValueAt& at, std::span<const std::byte> bytes, std::shared_ptr<const void> value);
/// Returns: the memory of the board that the caller's task is on.
[[nodiscard]] const task::Extents& memory_of_task();
[[noreturn]] void throw_empty_ref();
[[noreturn]] void throw_foreign_ref();

}  // namespace procpool::detail::client

#if PROCPOOL_BODIES
#include <procpool/client/stored_value.ipp>
#endif
