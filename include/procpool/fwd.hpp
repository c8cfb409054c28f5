// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// The names of procpool's classes, for headers that only mention them.

#include <procpool/pool/pool_fwd.hpp>

#include <cstdint>

/// The library's public names. Those in procpool::detail are its own.
namespace procpool::inline v0 {

class FutureBase;
template <class T>
class Future;
template <class T>
class Promise;
template <class T>
class Ref;
struct DeferredHooks;
class CompletionQueue;

template <class T>
class Outcome;
template <class T>
class ResultRange;
template <class T>
struct Indexed;
class ProgressBar;
template <class T>
class Scattered;

template <class T>
class Shared;
template <class T>
class SharedArray;

class Mutex;
class RecursiveMutex;
enum class OnOwnerDeath : std::uint8_t;
template <class T>
class Guarded;
class Condition;
template <class T>
class Queue;
struct QueueOptions;
class Barrier;
class BoundedSemaphore;
class Event;
class Latch;
class Permits;
class Semaphore;
template <class T>
class Connection;

class Initializer;
class Process;
class ExitStatus;

class Random;

template <class T, class E>
class Actor;
template <class T>
class ActorRef;
struct ActorOptions;
class Supervisor;
struct SupervisorOptions;
enum class Strategy : std::uint8_t;
enum class Restart : std::uint8_t;
struct ChildInfo;

class Writer;
class Reader;
template <class T>
struct Codec;

enum class Ending : std::uint8_t;
struct LogRecord;
enum class LogLevel : std::uint8_t;
struct TaskTiming;

struct Error;
class ActorDied;
struct BrokenBarrier;
struct BrokenPipe;
struct CodecError;
struct EndOfFile;
struct JournalBusy;
struct JournalMismatch;
class MemoryLimitExceeded;
class NodeLost;
class OwnerDied;
class PartLost;
struct PoolBroken;
struct PoolClosed;
struct PoolTerminated;
struct QueueClosed;
class RemoteError;
class RestartsExhausted;
class SharedMemoryExhausted;
struct TaskCancelled;
class TaskTimedOut;
class TooManyFailures;
class WaitTimedOut;
class WorkerDied;

}  // namespace procpool
