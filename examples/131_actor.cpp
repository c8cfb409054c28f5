// SPDX-License-Identifier: BSL-1.0
// An actor is an object in a process of its own, whose functions are called from anywhere: here a cache of web pages,
// used by two pools. Its calls run one at a time, so it needs no lock, and a crash in it costs nobody else.

#include <procpool/procpool.hpp>

#include <fmt/ranges.h>

#include <csignal>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

/// Any class will do, with any members. This one is saved, for restarts.
class Cache {
public:
    std::optional<std::string> find(const std::string& url) {
        const auto found = pages_.find(url);
        (found != pages_.end() ? hits_ : misses_) += 1;
        return found != pages_.end() ? std::optional{found->second} : std::nullopt;
    }
    void put(const std::string& url, const std::string& page) { pages_[url] = page; }
    std::size_t size() const { return pages_.size(); }
    std::vector<int> hits_and_misses() const { return {hits_, misses_}; }

    template <class Archive>
    void serialize(Archive& archive) {
        archive(pages_, hits_, misses_);
    }

private:
    std::map<std::string, std::string> pages_;
    int hits_ = 0;
    int misses_ = 0;
};

std::string fetch(const std::string& url) { return "<html>" + url + "</html>"; }

/// Called in the workers of both pools: a reference travels like a number.
std::size_t bytes_of(procpool::ActorRef<Cache> cache, int number) {
    const std::string url = fmt::format("/page/{}", number);
    if (const auto page = cache.call(&Cache::find, url).get()) { return page->size(); }
    const std::string page = fetch(url);
    cache.call(&Cache::put, url, page).get();
    return page.size();
}

int main() {
    procpool::ProcessPool crawlers{2};
    procpool::ProcessPool renderers{2};
    // Made after both pools, in the same program: their workers can call it all the same.
    auto cache = procpool::actor<Cache>({.restarts = 1, .name = "cache", .snapshot_every = 1});
    const procpool::ActorRef<Cache> ref = cache.ref();

    const auto numbers = std::views::iota(0, 10);
    crawlers.for_each([ref](int number) { bytes_of(ref, number); }, numbers);
    fmt::print("{} pages\n", cache.call(&Cache::size).get());
    const auto sizes = renderers.map([ref](int number) { return bytes_of(ref, number); }, numbers);
    fmt::print("bytes: {}\n", sizes);
    fmt::print("hits and misses: {}\n", cache.call(&Cache::hits_and_misses).get());

    // Calls are futures, as tasks are, and take options and any function f(Cache&, args...).
    auto half = cache
                    .call(
                        {.label = "half"}, [](Cache& all, std::size_t of) { return all.size() / of; }, std::size_t{2})
                    .then([](std::size_t n) { return fmt::format("half of them are {}", n); });
    fmt::print("{}\n", half.get());

    // The call that kills it fails; the next process begins with what was saved after the last call.
    const auto die = [](Cache&) { ::raise(SIGKILL); };
    try {
        cache.call(die).get();
    } catch (const procpool::ActorDied& died) { fmt::print("the actor {}\n", to_string(died.exit_status())); }
    fmt::print("its successor has {} pages\n", cache.call(&Cache::size).get());

    // One restart was all that it may have: now it is dead, for everybody.
    try {
        cache.call(die).get();
    } catch (const procpool::ActorDied&) {}
    try {
        crawlers.apply(bytes_of, ref, 1);
    } catch (const procpool::ActorDied&) { fmt::print("now it is dead\n"); }
}
