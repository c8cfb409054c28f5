// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Mixed work: one thread that submits tasks of every kind and judges what becomes of each.

#include "faults/whole.hpp"

#include <cstdlib>
#include <functional>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace procpool_test {

/// How long a chaos test lasts.
[[nodiscard]] inline std::chrono::seconds chaos_time() {
    const char* const text = std::getenv("PROCPOOL_CHAOS_SECONDS");
    return std::chrono::seconds{text != nullptr ? std::atol(text) : 3};
}
/// PROCPOOL_CHAOS_SEED runs the same random choices again; the times stay those of the machine.
[[nodiscard]] inline unsigned chaos_seed() {
    const char* const text = std::getenv("PROCPOOL_CHAOS_SEED");
    return text != nullptr ? static_cast<unsigned>(std::atol(text)) : std::random_device{}();
}

class MixedWork {
public:
    MixedWork(Pool& pool, unsigned seed) : pool_(pool), random_(seed) {}

    /// Throws what a submission throws; std::logic_error when an ending is wrong.
    void some() {
        for (unsigned n = below(40); n > 0; --n) { submit(); }
        if (below(8) == 0) { map(); }
        settle();
    }

    /// Judges every task that was submitted. may_end_early: a PoolBroken or PoolTerminated is no surprise.
    void settle(bool may_end_early = false) {
        while (!tasks_.empty()) {
            const auto judge = std::move(tasks_.back());
            tasks_.pop_back();
            judge(may_end_early);
        }
    }

    [[nodiscard]] std::size_t judged() const { return judged_; }
    [[nodiscard]] std::size_t died() const { return died_; }

private:
    [[nodiscard]] unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
    /// A task that is killed again and again before it ends, as on a busy machine, does not run out of them.
    static constexpr unsigned many = 60'000;
    [[nodiscard]] unsigned retries() { return below(2) == 0 ? 0 : below(2) == 0 ? 1 : many; }
    [[nodiscard]] int priority() { return below(4) == 0 ? static_cast<int>(below(8)) - 4 : 0; }

    /// The ways that a task may end in beside its value.
    struct May {
        bool time_out = false;
        bool be_cancelled = false;
        unsigned retries = 0;
        std::string label;
    };

    template <class T>
    void keep(Future<T> future, T expected, May may) {
        auto held = std::make_shared<Future<T>>(std::move(future));
        tasks_.push_back([this, held, expected = std::move(expected), may = std::move(may)](bool may_end_early) {
            ++judged_;
            try {
                if (get_soon(*held, 4 * wait_limit) != expected) {
                    throw std::logic_error("a wrong result of " + may.label);
                }
            } catch (const WorkerDied& died) {
                ++died_;
                if (may.retries == many) {
                    throw std::logic_error("it may have run again: " + may.label + ": " + died.what());
                }
                if (died.label() != may.label) {
                    throw std::logic_error("another task's death: " + may.label + " ended with " + died.what());
                }
            } catch (const TaskTimedOut&) {
                if (!may.time_out) { throw std::logic_error("a timeout for nothing: " + may.label); }
            } catch (const TaskCancelled&) {
                if (!may.be_cancelled) { throw std::logic_error("nobody cancelled " + may.label); }
            } catch (const PoolBroken&) {
                if (!may_end_early) { throw; }
            } catch (const PoolTerminated&) {
                if (!may_end_early) { throw; }
            }
        });
    }

    void submit() {
        const int number = static_cast<int>(below(1'000'000));
        const std::string label = std::to_string(number);
        TaskOptions options{.retries = retries(), .priority = priority(), .label = label};
        switch (below(10)) {
            case 0: {
                const std::string text(below(1'200'000), static_cast<char>('a' + number % 26));
                keep(pool_.apply_async(
                         options, [](std::string value) { return value; }, text),
                     text, {.retries = options.retries, .label = label});
                return;
            }
            case 1: {
                const std::size_t count = below(8);
                const auto pile = [](std::size_t n) {
                    std::vector<std::string> strings;
                    for (std::size_t i = 0; i < n; ++i) {
                        strings.emplace_back(300'000 + i, static_cast<char>('a' + i));
                    }
                    return strings;
                };
                keep(pool_.apply_async(options, pile, count), pile(count),
                     {.retries = options.retries, .label = label});
                return;
            }
            case 2: {
                options.timeout = std::chrono::milliseconds{1 + below(5)};
                options.retries = std::min(options.retries, 100U);  // some exceed it each time
                const auto nap = [](int n) {
                    std::this_thread::sleep_for(std::chrono::microseconds{n % 4000});
                    return n;
                };
                // A retry of what timed out may time out again, so only the death of a worker needs an explanation.
                keep(pool_.apply_async(options, nap, number), number,
                     {.time_out = true, .retries = std::min(options.retries, 1U), .label = label});
                return;
            }
            case 3: {
                auto future = pool_.apply_async(
                    options,
                    [](std::stop_token stop, int n) {
                        for (int i = 0; i < 200 && !stop.stop_requested(); ++i) {
                            std::this_thread::sleep_for(std::chrono::microseconds{20});
                        }
                        return n;
                    },
                    number);
                for (unsigned i = below(3000); i > 0; --i) { detail::relax(); }
                const bool cancelled = below(2) == 0 ? future.cancel() : future.kill();
                keep(std::move(future), number,
                     {.be_cancelled = cancelled, .retries = options.retries, .label = label});
                return;
            }
            case 4: {
                static_cast<void>(pool_.apply_async(
                    options, [](int n) { return std::string(static_cast<std::size_t>(n % 500'000), 'd'); }, number));
                return;  // dropped
            }
            default: {
                keep(pool_.apply_async(
                         options, [](int n) { return n + 1; }, number),
                     number + 1, {.retries = options.retries, .label = label});
                return;
            }
        }
    }

    void map() {
        std::vector<int> input(20 + below(300));
        std::iota(input.begin(), input.end(), static_cast<int>(below(1000)));
        const MapOptions options{.chunk_size = below(3) == 0 ? below(20) : 0,
                                 .timeout = below(2) == 0 ? 60s : 0s,
                                 .retries = many,
                                 .priority = priority()};
        std::vector<std::string> expected;
        const auto item = [](int i) {
            return std::string(static_cast<std::size_t>(i * 37 % 3000), static_cast<char>('a' + i % 26));
        };
        for (const int i : input) { expected.push_back(item(i)); }
        if (pool_.map(options, item, input) != expected) { throw std::logic_error("a wrong result of a map"); }
        ++judged_;
    }

    Pool& pool_;
    std::mt19937 random_;
    std::vector<std::function<void(bool)>> tasks_;
    std::size_t judged_ = 0;
    std::size_t died_ = 0;
};

}  // namespace procpool_test
