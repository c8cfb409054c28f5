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

/// Workers are processes. The type for members and parameters.
using Pool = ProcessPool<ForkEngine>;
/// Workers are threads of this process: tasks share its memory, and a crash ends the program.
using ThreadPool = ProcessPool<ThreadEngine>;
/// Tasks run in the thread that submits them, when it submits them. For debugging.
using InlinePool = ProcessPool<InlineEngine>;
/// Has the engine that the environment variable PROCPOOL_ENGINE names when the pool is built: inline, thread or fork,
/// which is the default. For debugging; the constructor throws std::invalid_argument when the variable says anything
/// else.
using AnyPool = ProcessPool<AnyEngine>;

struct PoolOptions;
struct TaskOptions;
struct MapOptions;
struct ScatterOptions;
enum class OnError;
struct Progress;
struct PoolStats;
struct Percentiles;
struct WorkerInfo;

}  // namespace procpool
