// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Life: one life of an actor's object, in the process or thread that owns it.

#include <procpool/actor/block.hpp>
#include <procpool/actor/options.hpp>
#include <procpool/actor/snapshots.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/deadline.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>

namespace procpool::inline v0::detail::actor {

/// How an actor's object is made and used by code that does not know its type.
struct ObjectType {
    void* (*construct)(void* arguments);
    void (*destroy)(void* object) noexcept;
    void (*save)(Writer& out, const void* object);  ///< null when it does not travel
    void* (*restore)(Reader& in);                   ///< likewise
};

/// Made by the actor's maker, inherited by each of its processes. Called by: the worker, unless said otherwise.
class Life {
public:
    /// arguments: of ObjectType::construct. block: of the actor. saves: whether lives may follow each other. Called by:
    /// the maker. Throws: SharedMemoryExhausted; std::invalid_argument when the object cannot be saved.
    Life(const ObjectType& type, std::shared_ptr<void> arguments, Block& block, const ActorOptions& options,
         bool saves);
    Life(const Life&) = delete;
    Life& operator=(const Life&) = delete;

    /// Effects: makes the object, from what was saved last, or from the arguments. The first constructor's exception is
    /// kept for object(), which the maker asks for. Throws: that of a later one.
    void begin();
    /// Effects: destroys the object.
    void end() noexcept;

    /// The number of its actor, see Block.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

    /// Returns: that of the calling worker.
    [[nodiscard]] static Life& of_this_worker() noexcept;

    /// Returns: the object. Throws: its constructor's exception.
    [[nodiscard]] void* object() const {
        if (object_ == nullptr) [[unlikely]] { std::rethrow_exception(failed_); }
        return object_;
    }

    /// While it lives, a call runs; at its end the object is saved if it is time.
    class Call {
    public:
        explicit Call(Life& life) noexcept : life_(life) {}
        Call(const Call&) = delete;
        Call& operator=(const Call&) = delete;
        ~Call() {
            if (life_.snapshots_) { life_.end_of_call(); }
        }

    private:
        Life& life_;
    };

private:
    [[nodiscard]] void* make();
    void end_of_call() noexcept;

    const ObjectType& type_;
    std::shared_ptr<void> arguments_;
    Block& block_;
    const std::uint64_t number_ = block_.number.load(std::memory_order_relaxed);
    std::optional<Snapshots> snapshots_;
    const unsigned every_;
    const std::chrono::milliseconds interval_;
    unsigned unsaved_ = 0;
    Clock::time_point saved_at_{};
    void* object_ = nullptr;
    std::exception_ptr failed_;
};

}  // namespace procpool::detail::actor

#if PROCPOOL_BODIES
#include <procpool/actor/life.ipp>
#endif
