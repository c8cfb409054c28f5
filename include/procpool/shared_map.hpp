// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// SharedMap: a hash map in shared memory that every process may change. Needs Boost's headers, as arena.hpp does. Not
/// part of <procpool/procpool.hpp>.

#include <procpool/arena.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/shm/shareable.hpp>
#include <procpool/sync/mutex.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::shm {

/// A key or value: how it lies in the arena, and how functions take it.
template <class T>
struct MapItem {
    static_assert(std::is_trivially_copyable_v<T> && Shareable<T>,
                  "procpool: keys and values of a SharedMap are trivially copyable or std::string: others refer to "
                  "memory of one process");
    using Stored = T;
    using Taken = const T&;
    [[nodiscard]] static const T& store(const T& item, Arena&) noexcept { return item; }
    [[nodiscard]] static const T& load(const T& stored) noexcept { return stored; }
};
template <>
struct MapItem<std::string> {
    using Stored = std::basic_string<char, std::char_traits<char>, ArenaAllocator<char>>;
    using Taken = std::string_view;
    [[nodiscard]] static Stored store(std::string_view item, Arena& arena) { return Stored(item, arena); }
    [[nodiscard]] static std::string load(const Stored& stored) { return std::string(stored.begin(), stored.end()); }
};

/// The hash of a key, in the arena or not.
template <class K>
struct MapHash {
    using is_transparent = void;
    using Key = std::conditional_t<std::is_same_v<K, std::string>, std::string_view, K>;
    [[nodiscard]] std::size_t operator()(const Key& key) const { return std::hash<Key>{}(key); }
};

}  // namespace detail::shm

/// A hash map among processes: `Shared<SharedMap<std::string, int>> map{64 << 20};`; its address may be captured by and
/// passed to tasks. Keys and values are trivially copyable, or std::string. One lock for all: every function waits for
/// it, and is one step to the others. All memory is taken from an arena of a fixed size.
///
/// A process that dies in the middle of a change leaves a map that nobody can read: all functions throw OwnerDied until
/// clear() or recover(). A death elsewhere, as in a function that reads or in the caller's own of update(), changes
/// nothing. Throws, besides: std::system_error when update()'s function uses the same map; std::logic_error when the
/// map has been destroyed; SharedMemoryExhausted when the arena is full, the map is as before then; what the hash,
/// comparison and copies of K and V throw.
template <class K, class V>
class SharedMap {
    using Key = detail::shm::MapItem<K>;
    using Value = detail::shm::MapItem<V>;

public:
    using Entries = std::vector<std::pair<K, V>>;  ///< keys and values, outside of the arena

    /// bytes: of the arena. A small key and value take about 64. Throws: as Mutex, and as Arena.
    explicit SharedMap(std::size_t bytes) : arena_(bytes) { make_map(); }
    PROCPOOL_UNCOPIED(SharedMap, it_is_not_copied__capture_or_pass_its_address,
                      "procpool: a SharedMap is not copied: capture or pass its address, or take a snapshot()")
    SharedMap& operator=(const SharedMap&) = delete;
    /// Gives the memory back at once.
    ~SharedMap() {}

    /// Returns: a copy of the key's value; nothing when it is not there.
    [[nodiscard]] std::optional<V> get(typename Key::Taken key) {
        const Held held{*this};
        const auto found = map().find(key);
        return found == map().end() ? std::nullopt : std::optional<V>{Value::load(found->second)};
    }
    /// Whether the key is there.
    [[nodiscard]] bool contains(typename Key::Taken key) {
        const Held held{*this};
        return map().contains(key);
    }
    /// How many keys are there.
    [[nodiscard]] std::size_t size() {
        const Held held{*this};
        return map().size();
    }
    /// Returns: copies of all entries, as they are at one moment.
    [[nodiscard]] Entries snapshot() {
        const Held held{*this};
        Entries entries;
        entries.reserve(map().size());
        for (const auto& [key, value] : map()) { entries.emplace_back(Key::load(key), Value::load(value)); }
        return entries;
    }

    /// Sets the value of the key. Returns: whether the key is new.
    bool put(typename Key::Taken key, typename Value::Taken value) {
        const Held held{*this};
        return put_locked(key, value);
    }
    /// Returns: whether the key was there.
    bool erase(typename Key::Taken key) {
        const Held held{*this};
        const auto found = map().find(key);
        if (found == map().end()) { return false; }
        const Change change{*this};
        map().erase(found);
        return true;
    }
    /// Sets the value of the key to what f(V&) makes of it; of V{} when the key is not there. When f throws, nothing
    /// changes. Returns: what f does.
    template <class F>
    requires std::invocable<F, V&> && std::default_initializable<V>
    auto update(typename Key::Taken key, F&& f) {
        const Held held{*this};
        const auto found = map().find(key);
        V value = found == map().end() ? V{} : V(Value::load(found->second));
        if constexpr (std::is_void_v<std::invoke_result_t<F, V&>>) {
            std::invoke(std::forward<F>(f), value);
            put_locked(key, value);
        } else {
            auto result = std::invoke(std::forward<F>(f), value);
            put_locked(key, value);
            return result;
        }
    }

    /// Removes all entries, also of a map that a death has left half changed.
    void clear() { recover({}); }
    /// Effects: makes a map of these entries, as of an earlier snapshot(), whether a process died or not. When they are
    /// too many for the arena, the map is empty.
    void recover(const Entries& entries) {
        const LockOnly locked{mutex_};
        empty();
        try {
            for (const auto& [key, value] : entries) { put_locked(key, value); }
        } catch (...) {
            empty();
            throw;
        }
    }

    /// Bytes of the arena that are not in use, in one piece or several.
    [[nodiscard]] std::size_t free_bytes() {
        const Held held{*this};
        return arena_.free_bytes();
    }

private:
    using Map =
        std::unordered_map<typename Key::Stored, typename Value::Stored, detail::shm::MapHash<K>, std::equal_to<>,
                           ArenaAllocator<std::pair<const typename Key::Stored, typename Value::Stored>>>;

    class LockOnly {
    public:
        explicit LockOnly(detail::sync::NamedMutex& mutex) : mutex_(mutex) { mutex.lock(); }
        LockOnly(const LockOnly&) = delete;
        LockOnly& operator=(const LockOnly&) = delete;
        ~LockOnly() { mutex_.let_go(); }

    private:
        detail::sync::NamedMutex& mutex_;
    };
    /// The lock of a map that no death has left half changed.
    class Held {
    public:
        explicit Held(SharedMap& map) : lock_(map.mutex_) {
            const std::int32_t changer = map.changer_.load(std::memory_order_relaxed);
            if (changer != 0) { throw OwnerDied(changer); }
        }

    private:
        LockOnly lock_;
    };
    /// Names the process that changes the map. The fences keep the compiler from moving the change out of its bounds,
    /// since the process may be killed at any instruction; the lock orders what other processes see.
    class Change {
    public:
        explicit Change(SharedMap& map) noexcept : map_(map) {
            map_.changer_.store(detail::os::process_number(), std::memory_order_relaxed);
            std::atomic_signal_fence(std::memory_order_seq_cst);
        }
        Change(const Change&) = delete;
        Change& operator=(const Change&) = delete;
        ~Change() {
            std::atomic_signal_fence(std::memory_order_seq_cst);
            map_.changer_.store(0, std::memory_order_relaxed);
        }

    private:
        SharedMap& map_;
    };

    [[nodiscard]] Map& map() noexcept { return map_; }

    bool put_locked(typename Key::Taken key, typename Value::Taken value) {
        const auto found = map().find(key);
        const Change change{*this};
        if (found != map().end()) {
            found->second = Value::store(value, arena_);
            return false;
        }
        map().emplace(Key::store(key, arena_), Value::store(value, arena_));
        return true;
    }
    void empty() {
        const Change change{*this};
        arena_.reset();
        make_map();
    }
    void make_map() { ::new (&map_) Map(arena_); }

    detail::sync::NamedMutex mutex_{"SharedMap", OnOwnerDeath::ignore};
    std::atomic<std::int32_t> changer_ = 0;  // 0: the map is whole
    Arena arena_;
    union {
        Map map_;  // never destroyed: all of it lies in the arena
    };
};

template <class K, class V>
inline constexpr bool enable_shared<SharedMap<K, V>> = true;

}  // namespace procpool
