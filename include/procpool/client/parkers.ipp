// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/client/parkers.hpp>

#include <procpool/os/per_process.hpp>
#include <procpool/shm/heap.hpp>

namespace procpool::inline v0::detail::client {

/// Parkers in the program heap.
class ProgramParkers : public os::OfOneProcess {
public:
    ProgramParkers() {
        for (std::uint32_t i = 0; i < Parkers::count; ++i) { memory_[i].reset(); }
    }
    ProgramParkers(const ProgramParkers&) = delete;
    ProgramParkers& operator=(const ProgramParkers&) = delete;
    ~ProgramParkers() { heap_.deallocate(memory_, size); }

    [[nodiscard]] Parkers& parkers() noexcept { return parkers_; }

private:
    static constexpr std::size_t size = Parkers::count * sizeof(sync::Parker);

    shm::Heap& heap_ = shm::Heap::of_this_process();
    sync::Parker* const memory_ = static_cast<sync::Parker*>(heap_.allocate(size));
    Parkers parkers_{{memory_, Parkers::count}};
};

PROCPOOL_DECL Parkers& Parkers::of_this_process() {
    static constinit os::PerProcess<ProgramParkers> of_process;
    return of_process.get([] { return new ProgramParkers; }).parkers();
}

}  // namespace procpool::detail::client
