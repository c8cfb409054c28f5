// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The names of the pools and their engines.

namespace procpool::inline v0 {

struct ForkEngine;
struct ThreadEngine;
struct InlineEngine;
struct AnyEngine;

namespace detail {
class PoolBase;
}
template <class E = ForkEngine>
class ProcessPool;

using Pool = ProcessPool<ForkEngine>;
using ThreadPool = ProcessPool<ThreadEngine>;
using InlinePool = ProcessPool<InlineEngine>;
/// Has the engine that the environment variable PROCPOOL_ENGINE names when the pool is built: inline, thread or fork,
/// which is the default. For debugging; its constructor throws std::invalid_argument when the variable says anything
/// else.
using AnyPool = ProcessPool<AnyEngine>;

struct PoolOptions;
struct TaskOptions;
struct MapOptions;
enum class OnError;
struct Progress;
struct PoolStats;
struct WorkerInfo;

}  // namespace procpool
