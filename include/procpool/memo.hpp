// SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// Memo: results of functions that are kept on disk. Needs the libraries LMDB and xxHash; the target procpool::memo has
/// them. Not part of <procpool/procpool.hpp>.

#include <procpool/codec/overload_set.hpp>
#include <procpool/core/uncopied.hpp>
#include <procpool/persist/ignore.hpp>
#include <procpool/persist/memo_call.hpp>
#include <procpool/persist/memoized.hpp>
#include <procpool/persist/options.hpp>
#include <procpool/persist/store.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace procpool::inline v0 {

/// Results of functions in a directory, for all programs that open it, now and later:
///
///     Memo memo{"/var/tmp/simulations"};
///     pool.map(memo(simulate), parameters);    // runs what no run before has; workers look and keep in parallel
///
/// A result is looked up by the function and the arguments. The function must depend on its arguments only, and their
/// values must say all: what it reads besides, of files, the clock or global variables, nobody looks at. Two calls that
/// miss at the same time are both made.
///
/// **The function** is its code: the build of the program or library that it is in, and the place there, so that every
/// rebuild starts anew; with what it holds, captures, members and bound values. A rebuild of another library, which it
/// calls, does not show. Given a name and a version, it is these, and what it holds, in all builds, and programs: raise
/// the version when it computes something else. A pointer to a function counts by the function's symbol then, so two
/// functions under one name share nothing; where programs have no symbols, by its place in the build.
///
/// **Arguments** are compared by value: as what they arrive as for a task, and by their types. Padding does not count,
/// nor the order of unordered containers; doubles are compared by their bits. A Codec or serialize() of your own has to
/// give the same bytes for equal values. Types without such bytes, pointers and references do not compile. What is
/// passed as ignore(value) does not count.
///
/// **Deaths** leave nothing behind: a process may be killed at any instruction, and the others go on, without a wrong
/// result. A damaged entry is a missing one, and a directory that a crash of the machine has damaged starts empty.
/// Where the files cannot be used in the middle of work, as on a full disk, functions are called as if there was no
/// memo; the log has one warning of each process (set_log_sink()). Nothing here protects from those who may write the
/// directory and mean harm.
///
/// The directory must be on a file system of this machine. It must not be copied, opened or removed by other means
/// while a program uses it; afterwards any of that is fine.
class Memo {
public:
    /// Opens the directory, or makes it and its parents. Throws: std::system_error, as for lack of rights or of room;
    /// Error where it is on a network file system, holds another LMDB database, or is of another version.
    explicit Memo(const std::filesystem::path& directory, const MemoOptions& options = {})
        : store_(detail::persist::Store::made(directory)),
          options_(options) {
        store_.get().require_open();
    }
    PROCPOOL_UNCOPIED(Memo, a_Memo_is_not_copied__capture_or_pass_its_functions,
                      "procpool: a Memo is not copied: capture or pass its functions, which travel")
    Memo& operator=(const Memo&) = delete;
    /// Closes the directory in this process, unless functions of it are left.
    ~Memo() = default;

    /// \{
    /// Returns: the function f, that looks first; it may outlive the Memo. A name is for all functions that are erased
    /// by it; two that differ need names or versions that differ, unless they are pointers. Throws: CodecError when f
    /// captured an address; Error when its code belongs to no build that can be told from others.
    template <class F>
    [[nodiscard]] auto operator()(F f) const {
        return make(std::move(f), [](const F& function) { return detail::persist::identify(function); });
    }
    template <class F>
    [[nodiscard]] auto operator()(F f, std::string_view name, std::uint64_t version) const {
        return make(std::move(f),
                    [&](const F& function) { return detail::persist::identify(function, name, version); });
    }
    /// \}

    /// Returns: what has happened to the directory, by all processes. Throws: as the constructor.
    [[nodiscard]] MemoStats stats() const { return store_.get().stats(); }
    /// Removes all entries; counts stay. Throws: as the constructor; Error when a process that writes is stopped.
    void clear() { store_.get().clear(); }
    /// Removes the results of all functions that were given that name, of any version. Returns: how many. Throws: as
    /// clear().
    std::size_t erase(std::string_view name) { return store_.get().erase(detail::persist::group_of(name)); }

private:
    template <class F, class Identify>
    [[nodiscard]] auto make(F f, const Identify& identify) const {
        detail::persist::require_function<F>();
        if constexpr (detail::persist::may_be_kept_v<F>) {
            const detail::persist::FunctionIdentity identity = identify(f);
            return Memoized<F>(store_, options_, identity, std::move(f));
        } else {
            return detail::codec::this_call_is_refused{};
        }
    }

    detail::persist::HeldStore store_;
    MemoOptions options_;
};

}  // namespace procpool
