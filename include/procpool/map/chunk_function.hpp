// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// ChunkFunction: the function object of a chunk of items, in the worker.

#include <procpool/client/listed_references.hpp>
#include <procpool/codec/bytes.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/map/wire.hpp>
#include <procpool/task/thread_context.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace procpool::inline v0::detail::map {

/// Decoded from what the chunk brings. Throws, here and below: any exception of the Codec.
template <class F, bool may_be_large, bool is_kept>
class ChunkFunction {
public:
    using Type = F;

    ChunkFunction(Reader& in, const ChunkHead&, task::TaskContext&) : f_(codec::decode_callable<F>(in)) {}
    [[nodiscard]] F& get() noexcept { return f_; }

private:
    F f_;
};

/// Returns: where the callable is, if the chunk refers to it, and where its bytes are here.
[[nodiscard]] inline CallablePlace take_place(Reader& in, const ChunkHead& head) {
    return (head.flags & ChunkHead::refers) != 0 ? codec::decode_plain<CallablePlace>(in) : CallablePlace{};
}
[[nodiscard]] inline std::span<const std::byte> bytes_at(const CallablePlace& place, const task::TaskContext& worker) {
    if (place.call == 0) { return {}; }
    return client::bytes_here(worker.board_of_task(), {place.call, place.address, place.size});
}

/// Decoded from what the chunk brings, or from what the call's chunks have in common.
template <class F>
class ChunkFunction<F, true, false> {
public:
    using Type = F;

    ChunkFunction(Reader& in, const ChunkHead& head, task::TaskContext& worker)
        : elsewhere_(bytes_at(take_place(in, head), worker)),
          f_(codec::decode_callable<F>((head.flags & ChunkHead::refers) != 0 ? elsewhere_ : in)) {}
    [[nodiscard]] F& get() noexcept { return f_; }

private:
    Reader elsewhere_;  // has what views of f_ refer to
    F f_;
};

/// Likewise; or decoded for an earlier chunk of the call.
template <class F>
class ChunkFunction<F, true, true> {
public:
    using Type = const F;

    ChunkFunction(Reader& in, const ChunkHead& head, task::TaskContext& worker) {
        if ((head.flags & ChunkHead::refers) == 0) {
            f_ = &own_.emplace(codec::decode_callable<F>(in));
            return;
        }
        const CallablePlace place = take_place(in, head);
        kept_ = worker.kept(place.call);
        if (kept_ == nullptr) {
            const std::span<const std::byte> bytes = bytes_at(place, worker);
            kept_ = std::make_shared<const Decoded>(bytes);
            worker.keep(place.call, bytes.data(), kept_);
        }
        f_ = &static_cast<const Decoded*>(kept_.get())->f;
    }
    [[nodiscard]] const F& get() const noexcept { return *f_; }

private:
    struct Decoded {
        explicit Decoded(std::span<const std::byte> bytes) : in(bytes), f(codec::decode_callable<F>(in)) {}
        Reader in;  // has what views of f refer to
        F f;
    };

    std::optional<F> own_;
    std::shared_ptr<const void> kept_;
    const F* f_;
};

}  // namespace procpool::detail::map
