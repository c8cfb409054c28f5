// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ActorRef: names an actor, for calls from any process of the program.

#include <procpool/actor/block.hpp>
#include <procpool/actor/call.hpp>
#include <procpool/codec/address.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/core/config.hpp>
#include <procpool/future/task_handle.hpp>

#include <cstdint>
#include <type_traits>
#include <typeinfo>

namespace procpool::inline v0 {

template <class T>
class ActorRef;

namespace detail::client {
struct GuestBoard;
}

namespace detail::actor {

/// Effects: hands the call to the actor of that client. Throws: see ActorCalls::call().
[[nodiscard]] TaskHandle submit_call(client::Client& client, const CallType& call, const TaskOptions* options,
                                     client::Encode encode);

/// The part of a reference that does not depend on the object's type.
class RefBase {
public:
    constexpr RefBase() noexcept = default;
    /// The actor that the block has now.
    explicit RefBase(Block& block) noexcept : block_(&block), number_(block.number.load(std::memory_order_relaxed)) {}

    [[nodiscard]] TaskHandle submit_call(const CallType& call, const TaskOptions* options, client::Encode encode) const;
    [[nodiscard]] bool is_newer(const void* address) const;
    [[nodiscard]] bool is_alive() const noexcept;
    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }
    friend bool operator==(const RefBase&, const RefBase&) noexcept = default;

    void encode(Writer& out, const std::type_info& holder) const;
    [[nodiscard]] static RefBase decode(Reader& in);

private:
    class Use;

    [[nodiscard]] client::GuestBoard board() const;

    Block* block_ = nullptr;
    std::uint64_t number_ = 0;
};

}  // namespace detail::actor

/// Names an actor: made by Actor::ref(), copied, captured and passed like a number, used in any process of the program.
/// It keeps nothing alive: once the Actor is gone, call() throws PoolClosed. Called by: any thread.
template <class T>
class ActorRef : public detail::actor::ActorCalls<ActorRef<T>, T> {
public:
    /// Names no actor: call() throws std::logic_error.
    constexpr ActorRef() noexcept = default;
    /// Called by: Actor::ref().
    explicit ActorRef(detail::actor::RefBase base) noexcept : base_(base) {}

    /// As Actor::is_alive(); false once the Actor is gone.
    [[nodiscard]] bool is_alive() const noexcept { return base_.is_alive(); }
    /// Whether it names an actor, alive or not.
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(base_); }
    /// Whether both name the same actor.
    friend bool operator==(const ActorRef& a, const ActorRef& b) noexcept { return a.base_ == b.base_; }

private:
    friend class detail::actor::ActorCalls<ActorRef<T>, T>;
    friend struct Codec<ActorRef<T>>;

    [[nodiscard]] detail::TaskHandle submit_call(const detail::actor::CallType& call, const TaskOptions* options,
                                                 detail::client::Encode encode) const {
        return base_.submit_call(call, options, encode);
    }
    [[nodiscard]] bool is_newer(const void* address) const { return base_.is_newer(address); }

    detail::actor::RefBase base_;
};

/// Travels to every process that has the actor's memory: to all whose last common ancestor with its maker had used
/// procpool before, such as workers of any pool of the maker's.
template <class T>
struct Codec<ActorRef<T>> {
    using parts = detail::codec::TypeList<>;  ///< none that could fail to travel
    /// Throws: CodecError when the receiver cannot reach the actor.
    static void encode(Writer& out, const ActorRef<T>& ref) { ref.base_.encode(out, typeid(ActorRef<T>)); }
    /// Throws: CodecError when the bytes name no actor.
    static ActorRef<T> decode(Reader& in) { return ActorRef<T>{detail::actor::RefBase::decode(in)}; }
};

static_assert(std::is_trivially_copyable_v<ActorRef<int>>, "closures capture it");

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/actor/ref.ipp>
#endif
