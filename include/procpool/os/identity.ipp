// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/os/call.hpp>
#include <procpool/os/identity.hpp>
#include <procpool/os/pinned_module.hpp>

#include <sys/mman.h>
#include <unistd.h>
#include <cerrno>

namespace procpool::inline v0::detail::os {

[[gnu::noinline]] PROCPOOL_DECL Token take_process_token() {
    std::atomic<Token>* page = token_page.load(std::memory_order_acquire);
    if (page == nullptr) {
        constexpr std::size_t size = 4096;
        void* const fresh = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (fresh == MAP_FAILED) { throw_error(errno, "mmap"); }
        if (::madvise(fresh, size, MADV_WIPEONFORK) != 0) {
            const int error = errno;
            ::munmap(fresh, size);
            throw_error(error, "madvise(MADV_WIPEONFORK)");
        }
        pin_this_module();
        if (token_page.compare_exchange_strong(page, static_cast<std::atomic<Token>*>(fresh),
                                               std::memory_order_acq_rel)) {
            page = static_cast<std::atomic<Token>*>(fresh);
        } else {
            ::munmap(fresh, size);
        }
    }
    Token token = page->load(std::memory_order_relaxed);
    if (token != 0) { return token; }
    const Token fresh = newest_token.fetch_add(1, std::memory_order_relaxed) + 1;
    return page->compare_exchange_strong(token, fresh, std::memory_order_relaxed) ? fresh : token;
}

[[gnu::noinline]] PROCPOOL_DECL std::int32_t ask_process_number() noexcept {
    const std::int32_t number = ::getpid();
    if (token_page.load(std::memory_order_acquire) != nullptr) {  // otherwise to take a token might fail
        known_number.number.store(number, std::memory_order_relaxed);
        known_number.token.store(process_token(), std::memory_order_release);
    }
    return number;
}

}  // namespace procpool::detail::os
