// SPDX-License-Identifier: BSL-1.0
#include <procpool/os/futex.hpp>

#include "os/in_child.hpp"
#include "support/asleep.hpp"
#include "support/catch.hpp"

#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <array>
#include <cstddef>
#include <thread>

using namespace procpool::detail;
using namespace procpool_test;
using namespace std::chrono_literals;

namespace {

using FutexWord = std::atomic<std::uint32_t>;

/// Words that children share.
class Words {
public:
    Words() : memory_(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
    Words(const Words&) = delete;
    Words& operator=(const Words&) = delete;
    ~Words() { ::munmap(memory_, 4096); }
    FutexWord& operator[](std::size_t i) const { return static_cast<FutexWord*>(memory_)[i * 16]; }

private:
    void* memory_;
};

/// Makes the kernel refuse FUTEX_WAKE_OP to this process, as a filter of system calls does.
void refuse_wake_op() {
    std::array<sock_filter, 7> filter{
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 4, SYS_futex},
        sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, args[1])},
        sock_filter{BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x7f},
        sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, FUTEX_WAKE_OP},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM},
        sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog program{filter.size(), filter.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        throw std::runtime_error("no filter");
    }
}

/// Returns: 0 when all changes do what they say.
int check_changes() {
    struct Row {
        os::Change change;
        os::Operand operand;
        std::uint32_t before, after;
    };
    using os::Change;
    using os::Operand;
    const Row rows[] = {{Change::set, Operand{7}, 100, 7},
                        {Change::set, Operand{-1}, 100, 0xffffffff},
                        {Change::add, Operand{1}, 0xffffffff, 0},
                        {Change::add, Operand{2047}, 1, 2048},
                        {Change::add, Operand{-2048}, 2048, 0},
                        {Change::add, Operand::power_of_two(12), 1, 4097},
                        {Change::add, Operand::power_of_two(31), 1, 0x80000001},
                        {Change::set_bits, Operand{1}, 6, 7},
                        {Change::set_bits, Operand::power_of_two(30), 3, 0x40000003},
                        {Change::clear_bits, Operand{3}, 7, 4},
                        {Change::clear_bits, Operand::power_of_two(31), 0x80000001, 1}};
    int number = 1;
    for (const Row& row : rows) {
        FutexWord word{row.before};
        if (os::change_and_wake(word, row.change, row.operand) != 0 || word.load() != row.after) { return number; }
        word = row.before;
        if (os::change_and_wake_if(word, row.change, row.operand, 5) != 0 || word.load() != row.after) {
            return number;
        }
        ++number;
    }
    return 0;
}

/// Returns: 0 when a word with three sleepers wakes as many as it should.
int check_wakes(const Words& words) {
    FutexWord& word = words[0];
    FutexWord& count = words[1];
    word = 4;
    std::array<pid_t, 3> sleepers{};
    for (pid_t& sleeper : sleepers) {
        sleeper = start_child([&] {
            // Sleepers return, if the kernel refuses to change and wake at once, now and then.
            while (word.load() == 4 && os::futex_wait(word, 4, Deadline::never())) {}
            count.fetch_add(1);
            return 0;
        });
    }
    for (const pid_t sleeper : sleepers) { wait_for_sleep(sleeper); }
    if (os::change_and_wake_if(word, os::Change::set_bits, os::Operand{0}, 5) != 0) { return 1; }  // was another
    if (os::change_and_wake(word, os::Change::set, os::Operand{5}, 1) != 1) { return 2; }
    if (os::change_and_wake_if(word, os::Change::add, os::Operand{1}, 5) != 2 || word.load() != 6) { return 3; }
    for (const pid_t sleeper : sleepers) {
        if (wait_for_child(sleeper) != 0) { return 4; }
    }
    return count.load() == 3 ? 0 : 5;
}

}  // namespace

TEST_CASE("a word is changed by every operation with every kind of operand") { CHECK(check_changes() == 0); }

TEST_CASE("a change wakes as many sleepers as it says - or all when the word was as given") {
    CHECK(check_wakes(Words{}) == 0);
}

TEST_CASE("where the kernel refuses FUTEX_WAKE_OP: a word is changed and its sleepers wake") {
    const Words words;
    const auto run = [&] {
        refuse_wake_op();
        FutexWord never{1};
        // The first call finds out, and is not lost.
        if (os::change_and_wake(never, os::Change::add, os::Operand{1}) != 0 || never.load() != 2) { return 10; }
        if (const int wrong = check_changes()) { return 20 + wrong; }
        // Sleepers look again, since the process that changes a word may be killed before it wakes them.
        if (!os::futex_wait(never, 2, Deadline::never())) { return 11; }
        return check_wakes(words);
    };
    CHECK(in_child(run) == 0);
}

TEST_CASE("a wait ends at its deadline - at once when the word is another - and not before") {
    FutexWord word{1};
    const auto start = Clock::now();
    while (os::futex_wait(word, 1, Deadline::after(20ms))) {}
    CHECK(Clock::now() - start >= 20ms);
    CHECK(os::futex_wait(word, 2, Deadline::never()));
    CHECK_FALSE(os::futex_wait(word, 1, Deadline::immediately()));
    CHECK_FALSE(os::futex_wait(word, 1, Deadline{Clock::time_point{-1s}}));
}

TEST_CASE("a wait for two words ends when either of them wakes") {
    const Words words;
    for (const std::size_t which : {std::size_t{0}, std::size_t{1}}) {
        words[0] = words[1] = 0;
        const pid_t child = start_child([&] {
            while (words[0].load() == 0 && words[1].load() == 0) {
                os::futex_wait_for_either(words[0], 0, words[1], 0, Deadline::never());
            }
            return 0;
        });
        wait_for_sleep(child);
        os::change_and_wake(words[which], os::Change::set, os::Operand{1});
        CHECK(wait_for_child(child) == 0);
    }
    CHECK_FALSE(os::futex_wait_for_either(words[0], 0, words[1], 1, Deadline::after(5ms)));
    CHECK(os::futex_wait_for_either(words[0], 0, words[1], 0, Deadline::never()));
}

TEST_CASE("the kernel looks for robust locks of threads and forked children - not of those of a bare clone") {
    CHECK(os::releases_robust_locks());
    CHECK(in_child([] { return os::releases_robust_locks() ? 0 : 1; }) == 0);
    bool of_thread = false;
    std::thread{[&] { of_thread = os::releases_robust_locks(); }}.join();
    CHECK(of_thread);
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) { ::_exit(os::releases_robust_locks() ? 1 : 0); }
    CHECK(wait_for_child(child) == 0);
}
