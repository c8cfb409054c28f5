// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Pace, ChunkPlan: what kind of call over many items a ChunkCall runs.

#include <procpool/worker/task_frame.hpp>

#include <cstddef>
#include <optional>

namespace procpool::inline v0::detail::map {

/// Who drives a call over many items.
enum class Pace {
    call,  ///< run(), which returns when nothing of the call runs any more; the pool does not close before that
    held,  ///< likewise, on a thread of its own: who accepted the call holds the pool
    lazy   ///< whoever wants results, now and then, and holds the pool until it is joined: chunks in flight keep nobody
           ///< from submitting meanwhile
};

/// What the items and results of a call make of it.
struct ChunkPlan {
    TaskCode code;
    std::optional<std::size_t> items;  ///< how many, if that is known
    std::size_t bytes_per_item;        ///< 0 where they stay where they are
    bool keeps_errors;                 ///< a failed item is a result
    bool folds;                        ///< results are folded, block by block
    bool frames;                       ///< items can have their sizes before them
};

}  // namespace procpool::detail::map
