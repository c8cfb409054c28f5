// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/pool/later_call.hpp>

#include <procpool/client/client.hpp>
#include <procpool/pool/each_worker.hpp>
#include <procpool/pool/options.hpp>

namespace procpool::inline v0::detail::pool {

PROCPOOL_DECL TaskHandle submit_accepted(client::Client& client, TaskCode code, const TaskOptions* options,
                                         client::Encode encode) {
    client::Submission submission{.code = code, .accepted_before_close = true};
    if (options != nullptr) { set_options(submission, *options); }
    return TaskHandle{client, *client.submit(submission, encode)};
}

}  // namespace procpool::detail::pool
