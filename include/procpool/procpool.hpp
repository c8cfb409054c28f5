// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// All of procpool.

#include <procpool/algorithm/broadcast.hpp>
#include <procpool/algorithm/fork_map.hpp>
#include <procpool/algorithm/imap.hpp>
#include <procpool/algorithm/map.hpp>
#include <procpool/algorithm/map_async.hpp>
#include <procpool/algorithm/progress_bar.hpp>
#include <procpool/algorithm/reduce.hpp>
#include <procpool/algorithm/repeat.hpp>
#include <procpool/algorithm/result_range.hpp>
#include <procpool/codec/bind_front.hpp>
#include <procpool/codec/callable.hpp>
#include <procpool/codec/codec.hpp>
#include <procpool/codec/exception.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/log_record.hpp>
#include <procpool/core/version.hpp>
#include <procpool/engine/log_sink.hpp>
#include <procpool/engine/timings.hpp>
#include <procpool/engine/trace_file.hpp>
#include <procpool/pool/completion_queue.hpp>
#include <procpool/pool/future.hpp>
#include <procpool/pool/options.hpp>
#include <procpool/pool/outcome.hpp>
#include <procpool/pool/process.hpp>
#include <procpool/pool/process_pool.hpp>
#include <procpool/pool/progress.hpp>
#include <procpool/pool/stats.hpp>
#include <procpool/pool/wait.hpp>
#include <procpool/shm/shared.hpp>
#include <procpool/shm/shared_array.hpp>
#include <procpool/worker/log.hpp>
#include <procpool/worker/this_worker.hpp>
