// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Scattered: a range whose parts stay in the workers' memory. ProcessPool's scatter().

#include <procpool/client/client_ref.hpp>
#include <procpool/client/submission.hpp>
#include <procpool/client/taken.hpp>
#include <procpool/codec/call.hpp>
#include <procpool/codec/overload_set.hpp>
#include <procpool/core/config.hpp>
#include <procpool/core/function_ref.hpp>
#include <procpool/map/wrapped.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/process_pool.hpp>
#include <procpool/task/kept_parts.hpp>
#include <procpool/worker/task_frame.hpp>

#include <algorithm>  // and the concepts of ranges
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <type_traits>
#include <utility>
#include <vector>

namespace procpool::inline v0 {

namespace detail::map {

/// An argument that the worker keeps: its number travels, and the function gets the part itself.
template <class Part>
struct Kept {
    std::uint64_t number;
    Part* part = nullptr;
};

/// The part of that number. Called by: a task of a worker that keeps it.
[[nodiscard]] task::KeptPart& part_here(std::uint64_t number);

/// Begins the arguments of a task on a part. The part follows, if it is sent along, in so many bytes.
struct PartHead {
    std::uint64_t number;
    std::uint64_t sent;
};
/// Begins its result: whether the worker kept the part. If not, there is nothing else.
enum class PartFound : std::uint8_t { no, yes };

/// Effects: keeps the part that was sent along, decoded by keep(), unless another call has brought it by now; writes
/// whether there is one. Returns: that.
[[nodiscard]] bool find_part(TaskFrame& frame, Reader& in,
                             core::FunctionRef<std::unique_ptr<task::KeptPart>(Reader&)> keep);

/// The code of a task that calls a function with a part; without one it only keeps the part.
template <class Part>
[[nodiscard]] bool find_part_of_type(TaskFrame& frame, Reader& in) {
    return find_part(frame, in, [](Reader& from) -> std::unique_ptr<task::KeptPart> {
        return std::make_unique<task::KeptValue<Part>>(Codec<Part>::decode(from));
    });
}
template <class Part>
void keep_code(TaskFrame& frame) {
    Reader in{frame.arguments};
    static_cast<void>(find_part_of_type<Part>(frame, in));
}
template <class Part, class F, class... Args>
void part_code(TaskFrame& frame) {
    Reader in{frame.arguments};
    if (!find_part_of_type<Part>(frame, in)) { return; }
    codec::run_call<F, Kept<Part>, Args...>(
        in, frame.result,
        codec::takes_stop_token_v<F, Kept<Part>, Args...> ? frame.host.stop_token() : std::stop_token{});
}

/// The part of a handle that does not depend on types of the user's.
class ScatteredBase {
public:
    ScatteredBase(const ScatteredBase&) = delete;

protected:
    ScatteredBase() noexcept = default;
    /// Sends the parts. encode: called once for each, in order, with its index; writes something. Throws: as
    /// submit_to_each(); the error of a task.
    ScatteredBase(client::Client& client, std::uint32_t parts, bool remakes, TaskCode keep,
                  core::FunctionRef<void(Writer&, std::uint32_t)> encode);
    ScatteredBase(ScatteredBase&&) noexcept = default;
    ScatteredBase& operator=(ScatteredBase&& other) noexcept;
    ~ScatteredBase() { drop(); }

    /// Throws: std::logic_error when there are no parts, or in a child.
    [[nodiscard]] client::Client& client() const;
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] std::uint32_t count() const noexcept { return client_ ? count_ : 0; }

    /// Runs a task on every part and blocks until all have ended. Returns: what they left, by part. Throws: as a
    /// submission; the error of the lowest part; PartLost.
    [[nodiscard]] std::vector<client::Taken> run(TaskCode code, const TaskOptions* options, client::Encode call) const;
    /// Returns: a task's own result.
    template <class Result>
    [[nodiscard]] static Result decode_result(const client::Taken& taken) {
        Reader in = taken.reader();
        static_cast<void>(in.take(sizeof(PartFound)));
        return Codec<Result>::decode(in);
    }

private:
    void drop() noexcept;

    client::ClientRef client_;
    std::uint64_t number_ = 0;
    std::uint32_t count_ = 0;
    std::vector<std::vector<std::byte>> copies_;  // of the parts, encoded; none if lost ones stay lost
};

/// F: the function; Args: what it would be called with.
template <class Mistake, class F, class Part, class... Args>
struct not_callable_with_part {
    static_assert(codec::never<F>,
                  "procpool: this function cannot be called with a part: apply(f, args...) of a Scattered<T> calls "
                  "f(part, args...), with part a std::vector<T>& and the arguments as rvalues: take those by value or "
                  "const&");
};

/// The type that the items of a range are kept as.
template <class Range>
using scattered_t = codec::wire_type_t<std::ranges::range_value_t<Range>>;
template <class T>
inline constexpr bool may_be_scattered_v = [] {
    if constexpr (Encodable<T>) {
        return codec::outlives_reader_v<T>;
    } else {
        return false;
    }
}();
template <class T>
struct items_hold_views {
    static_assert(!Encodable<T> || codec::outlives_reader_v<T>,
                  "procpool: the items of this range hold a string_view or span, or a Ref, and what it refers to ends "
                  "with the task "
                  "that receives it: scatter items that hold std::string or std::vector instead");
};

/// Does not compile, and says why, unless F can be called with such a part.
template <class F, class Kept, class... Args>
constexpr auto require_part_call() {
    if constexpr (is_options_v<F>) {
        static_cast<void>(sizeof(wrong_options<F>));
    } else if constexpr (!codec::TaskCall<F, Kept, Args...> && (is_options_v<Args> || ...)) {
        static_cast<void>(sizeof(options_not_first<F>));
    } else {
        codec::require_call<not_callable_with_part, F, Kept, Args...>();
    }
}

struct ScatterCall {};

}  // namespace detail::map

/// The parts of a range, one for each worker of a pool, in the workers' memory. Move-only; destroying it frees the
/// parts, without waiting for that: where the pool's queue has no room for it now, with the next use of such a handle.
/// May outlive its pool. A part is lost when its worker dies or is replaced: by PoolOptions::max_tasks_per_worker, or
/// by ProcessPool::refork().
/// Called by: the process that scattered them, any thread; several at once, but for moves. In a child all but size()
/// and the destructor throw std::logic_error, as without parts.
template <class T>
class [[nodiscard]] Scattered : private detail::map::ScatteredBase, private detail::codec::RefusesOverloadSets {
    using Part = std::vector<T>;

public:
    /// The type of the items.
    using value_type = T;

    /// No parts.
    Scattered() noexcept = default;
    /// Called by: ProcessPool::scatter().
    Scattered(detail::client::Client& client, std::size_t parts, const ScatterOptions& options,
              detail::core::FunctionRef<void(Writer&, std::uint32_t)> encode)
        : ScatteredBase(client, static_cast<std::uint32_t>(parts), options.remake, detail::map::keep_code<Part>,
                        encode) {}

    /// The number of parts; 0 when they have been moved away.
    [[nodiscard]] std::size_t size() const noexcept { return count(); }

    using detail::codec::RefusesOverloadSets::apply;

    /// \{
    /// Runs f(part, args...) for every part, a std::vector<T>& that f may change, on the worker that keeps it, as
    /// ProcessPool::apply_on() does. Returns: the results by part; nothing if f returns nothing. Throws: PartLost,
    /// unless ScatterOptions::remake was set; the exceptions of f; WorkerDied, and the part is lost; PoolClosed;
    /// otherwise as broadcast(): the error of the lowest part, once all have ended. Changes that f made before stay.
    template <class F, class... Args>
    requires(!std::same_as<F, TaskOptions>) auto apply(F f, Args&&... args) {
        return apply_with<F, Args...>(nullptr, f, args...);
    }
    template <class F, class... Args>
    auto apply(const TaskOptions& options, F f, Args&&... args) {
        return apply_with<F, Args...>(&options, f, args...);
    }
    /// \}

    /// Returns: the items of all parts as they are now, in order. Throws: as apply().
    [[nodiscard]] Part gather() const {
        Part items;
        const auto same = [](const Part& part) -> const Part& { return part; };
        for (const detail::client::Taken& taken : run_with<std::remove_const_t<decltype(same)>>(nullptr, same)) {
            Part part = decode_result<Part>(taken);
            for (auto&& item : part) { items.push_back(std::move(item)); }  // which need not be assignable
        }
        return items;
    }

private:
    using Kept = detail::map::Kept<Part>;

    template <class F, class... Args>
    auto apply_with(const TaskOptions* options, const F& f, const std::remove_reference_t<Args>&... args) const {
        detail::map::require_part_call<F, Kept, Args...>();
        if constexpr (detail::codec::TaskCall<F, Kept, Args...>) {
            using Result = detail::codec::task_result_t<F, Kept, Args...>;
            const std::vector<detail::client::Taken> all = run_with<F, Args...>(options, f, args...);
            if constexpr (!std::is_void_v<Result>) {
                std::vector<Result> results;
                results.reserve(all.size());
                for (const detail::client::Taken& taken : all) { results.push_back(decode_result<Result>(taken)); }
                return results;
            }
        } else {
            return detail::codec::this_call_is_refused{};
        }
    }

    template <class F, class... Args>
    std::vector<detail::client::Taken> run_with(const TaskOptions* options, const F& f,
                                                const std::remove_reference_t<Args>&... args) const {
        detail::map::check_callable(client(), f);
        return run(detail::map::part_code<Part, F, Args...>, options, [&](Writer& out) {
            detail::codec::encode_call_by_name<F, Kept, std::remove_reference_t<Args>...>(out, f, Kept{number()},
                                                                                          args...);
        });
    }
};

template <class E>
template <class Range>
auto ProcessPool<E>::scatter(const ScatterOptions& options, Range&& range) {
    if constexpr (!std::ranges::input_range<Range>) {
        static_assert(detail::codec::never<Range>, "procpool: scatter() needs a range (std::ranges::input_range)");
        return detail::codec::this_call_is_refused{};
    } else if constexpr (!detail::map::may_be_scattered_v<detail::map::scattered_t<Range>>) {
        detail::codec::require_travels<detail::map::scattered_t<Range>>();
        static_cast<void>(sizeof(detail::map::items_hold_views<detail::map::scattered_t<Range>>));
        return detail::codec::this_call_is_refused{};
    } else if constexpr (!std::ranges::forward_range<Range> && !std::ranges::sized_range<Range>) {
        std::vector<detail::map::scattered_t<Range>> items;  // how many go into a part shows at the end
        auto end = std::ranges::end(range);
        for (auto next = std::ranges::begin(range); next != end; ++next) {
            items.push_back(detail::codec::to_wire(*next));
        }
        return scatter(options, items);
    } else {
        using T = detail::map::scattered_t<Range>;
        const auto all = static_cast<std::size_t>(std::ranges::distance(range));
        const std::size_t parts = size();
        auto next = std::ranges::begin(range);
        return Scattered<T>(open_client(), parts, options, [&](Writer& out, std::uint32_t part) {
            const std::size_t count = all / parts + (part < all % parts ? 1 : 0);
            std::vector<T> items;
            items.reserve(count);
            for (std::size_t i = 0; i < count; ++i, ++next) { items.push_back(detail::codec::to_wire(*next)); }
            Codec<std::vector<T>>::encode(out, items);
        });
    }
}

/// A part that travels as its number; for the library's own calls.
template <class Part>
struct Codec<detail::map::Kept<Part>> {
    /// No parts that travel.
    using parts = detail::codec::TypeList<>;
    /// Writes the number.
    static void encode(Writer& out, const detail::map::Kept<Part>& kept) {
        Codec<std::uint64_t>::encode(out, kept.number);
    }
    /// Finds the part. Called by: a task of the worker that keeps it.
    static detail::map::Kept<Part> decode(Reader& in) {
        const auto number = Codec<std::uint64_t>::decode(in);
        return {number, &static_cast<detail::task::KeptValue<Part>&>(detail::map::part_here(number)).value()};
    }
};

template <class Part>
struct detail::codec::passed<detail::map::Kept<Part>> {
    using type = Part&;
    static Part& from(const detail::map::Kept<Part>& kept) noexcept { return *kept.part; }
};

}  // namespace procpool

#if PROCPOOL_BODIES
#include <procpool/map/scatter.ipp>
#endif
