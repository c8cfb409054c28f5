// SPDX-License-Identifier: BSL-1.0
// Results that outlast the program, in a table that SQL can ask. Only what is not in it yet is run; each result is
// there as soon as it comes. For results that are only looked up again, see 170_memo: it is faster, and workers look
// themselves.
//     171_results_in_sqlite [FILE]

#include <procpool/procpool.hpp>

#include <fmt/core.h>
#include <sqlite3.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

/// Returns: how far a ball flies that is thrown at that angle, in degrees, by 20 metres a second.
double range(int angle) { return 400 / 9.81 * std::sin(angle * 3.141592653589793 / 90); }

/// The known values of range(). Used by one process.
class Table {
public:
    explicit Table(const std::string& file) {
        sqlite3* opened = nullptr;
        const int result = sqlite3_open(file.c_str(), &opened);
        database_.reset(opened);
        check(result);
        run("pragma journal_mode = wal");  // a program that is killed leaves whole results
        run("pragma synchronous = normal");
        run("create table if not exists ranges (angle integer primary key, metres real)");
        insert_ = prepare("insert into ranges values (?, ?)");
        find_ = prepare("select 1 from ranges where angle = ?");
    }

    [[nodiscard]] bool has(int angle) {
        check(sqlite3_bind_int(find_.get(), 1, angle));
        const bool found = sqlite3_step(find_.get()) == SQLITE_ROW;
        check(sqlite3_reset(find_.get()));
        return found;
    }
    void add(int angle, double metres) {
        check(sqlite3_bind_int(insert_.get(), 1, angle));
        check(sqlite3_bind_double(insert_.get(), 2, metres));
        if (sqlite3_step(insert_.get()) != SQLITE_DONE) { throw std::runtime_error("not inserted"); }
        check(sqlite3_reset(insert_.get()));
    }
    void print(const char* question) {
        const auto print_row = [](void*, int, char** values, char**) {
            fmt::print("at {} degrees it flies {} m\n", values[0], values[1]);
            return 0;
        };
        check(sqlite3_exec(database_.get(), question, print_row, nullptr, nullptr));
    }

private:
    using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

    static void check(int result) {
        if (result != SQLITE_OK) { throw std::runtime_error(sqlite3_errstr(result)); }
    }
    void run(const char* statement) { check(sqlite3_exec(database_.get(), statement, nullptr, nullptr, nullptr)); }
    [[nodiscard]] Statement prepare(const char* text) {
        sqlite3_stmt* prepared = nullptr;
        check(sqlite3_prepare_v2(database_.get(), text, -1, &prepared, nullptr));
        return {prepared, &sqlite3_finalize};
    }

    std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_{nullptr, &sqlite3_close};
    Statement insert_{nullptr, &sqlite3_finalize};
    Statement find_{nullptr, &sqlite3_finalize};
};

/// Returns: how many were run.
std::size_t run_what_is_missing(procpool::Pool& pool, Table& table, int from, int to) {
    std::vector<int> missing;
    for (int angle = from; angle <= to; ++angle) {
        if (!table.has(angle)) { missing.push_back(angle); }
    }
    // [loop]
    std::size_t i = 0;
    for (const double metres : pool.imap(range, missing)) { table.add(missing[i++], metres); }
    // [/loop]
    return i;
}

int main(int argc, char** argv) {
    const bool keep = argc > 1;
    const std::filesystem::path file =
        keep ? std::filesystem::path{argv[1]}
             : std::filesystem::temp_directory_path() /
                   fmt::format("procpool_{}.sqlite", std::chrono::steady_clock::now().time_since_epoch().count());
    procpool::Pool pool{2};
    {
        Table table{file.string()};
        fmt::print("{} run\n", run_what_is_missing(pool, table, 0, 60));
    }
    {
        Table table{file.string()};  // as in the next run of the program
        fmt::print("{} run\n", run_what_is_missing(pool, table, 0, 90));
        table.print("select angle, round(metres, 1) from ranges order by metres desc limit 1");
    }
    if (!keep) { std::filesystem::remove(file); }
}
