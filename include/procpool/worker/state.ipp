// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/type_name.hpp>
#include <procpool/worker/state.hpp>

#include <stdexcept>

namespace procpool::inline v0::detail::worker {

PROCPOOL_DECL void require_state(const StateType& there, const std::type_info& wanted) {
    if (there.is(wanted)) { return; }
    if (there.type == nullptr) {
        throw std::logic_error("procpool: a task wants the worker's state, of type " + type_name(wanted) +
                               ", but the pool has no initializer that returns an object");
    }
    throw std::logic_error("procpool: a task wants the worker's state as a " + type_name(wanted) +
                           ", but the pool's initializer returns a " + type_name(*there.type));
}

PROCPOOL_DECL void* find_state(const std::type_info& type) {
    const task::ThreadContext& here = task::thread_context;
    if (!here.in_worker) {
        throw std::logic_error("procpool: not in a worker, which alone has a state, here of type " + type_name(type));
    }
    require_state(here.state != nullptr ? here.state->type() : StateType{}, type);
    if (void* const object = here.state->find(type)) { return object; }
    if (void* const object = here.state->owned()) { return object; }
    throw std::logic_error("procpool: a task wants the worker's state as a " + type_name(type) + ", but the " +
                           type_name(*here.state->type().type) + " that the pool's initializer returned owns none");
}

}  // namespace procpool::detail::worker
