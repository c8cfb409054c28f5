// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// All of procpool.

#include <procpool/core/config.hpp>  // first, to refuse what is not supported before anything else is read

#include <procpool/actor/actor.hpp>
#include <procpool/actor/options.hpp>
#include <procpool/actor/ref.hpp>
#include <procpool/actor/supervisor.hpp>
#include <procpool/channel/connection.hpp>
#include <procpool/channel/queue.hpp>
#include <procpool/channel/wait_any.hpp>
#include <procpool/codec/bind_front.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/codec/exception_details.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/random.hpp>
#include <procpool/core/version.hpp>
#include <procpool/future/completion_queue.hpp>
#include <procpool/future/future.hpp>
#include <procpool/future/wait.hpp>
#include <procpool/log/log.hpp>
#include <procpool/log/log_record.hpp>
#include <procpool/log/log_sink.hpp>
#include <procpool/log/timings.hpp>
#include <procpool/log/trace_file.hpp>
#include <procpool/map/broadcast.hpp>
#include <procpool/map/fork_map.hpp>
#include <procpool/map/imap.hpp>
#include <procpool/map/map.hpp>
#include <procpool/map/map_async.hpp>
#include <procpool/map/outcome.hpp>
#include <procpool/map/progress_bar.hpp>
#include <procpool/map/reduce.hpp>
#include <procpool/map/reduce_by_key.hpp>
#include <procpool/map/repeat.hpp>
#include <procpool/map/result_range.hpp>
#include <procpool/map/scatter.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/process_pool.hpp>
#include <procpool/pool/progress.hpp>
#include <procpool/pool/ref.hpp>
#include <procpool/pool/stats.hpp>
#include <procpool/pool/submit.hpp>
#include <procpool/process/process.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/shm/shared_array.hpp>
#include <procpool/sync/barrier.hpp>
#include <procpool/sync/bounded_semaphore.hpp>
#include <procpool/sync/condition.hpp>
#include <procpool/sync/event.hpp>
#include <procpool/sync/guarded.hpp>
#include <procpool/sync/latch.hpp>
#include <procpool/sync/mutex.hpp>
#include <procpool/sync/permits.hpp>
#include <procpool/sync/placement.hpp>
#include <procpool/sync/recursive_mutex.hpp>
#include <procpool/sync/semaphore.hpp>
#include <procpool/worker/state.hpp>
#include <procpool/worker/this_worker.hpp>
#include <procpool/worker/with_state.hpp>
