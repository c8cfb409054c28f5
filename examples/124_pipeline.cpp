// SPDX-License-Identifier: BSL-1.0
// A pipeline: ten mappers read lines, ten converters work on what they found, and one writer, the only process that has
// the database, stores it. Queues connect them, hold back those that are too fast, and end them one stage after the
// other. A process that is killed takes with it the one item that it has in hand.

#include <procpool/procpool.hpp>

#include <fmt/core.h>
#include <sqlite3.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

struct Reading {
    int sensor;
    double fahrenheit;
};
struct Row {
    int sensor;
    double celsius;
};

class Database {
public:
    Database() {
        sqlite3* opened = nullptr;
        check(sqlite3_open(":memory:", &opened));
        database_.reset(opened);
        run("create table rows (sensor integer, celsius real)");
        run("begin");
        sqlite3_stmt* prepared = nullptr;
        check(sqlite3_prepare_v2(opened, "insert into rows values (?, ?)", -1, &prepared, nullptr));
        insert_.reset(prepared);
    }

    void add(const Row& row) {
        check(sqlite3_bind_int(insert_.get(), 1, row.sensor));
        check(sqlite3_bind_double(insert_.get(), 2, row.celsius));
        if (sqlite3_step(insert_.get()) != SQLITE_DONE) { throw std::runtime_error("not inserted"); }
        check(sqlite3_reset(insert_.get()));
    }

    void print() {
        run("commit");
        const auto print_row = [](void*, int, char** values, char**) {
            fmt::print("sensor {}: {} rows, {} degrees on average\n", values[0], values[1], values[2]);
            return 0;
        };
        check(sqlite3_exec(database_.get(),
                           "select sensor, count(*), round(avg(celsius), 1) from rows group by sensor order by sensor",
                           print_row, nullptr, nullptr));
    }

private:
    static void check(int result) {
        if (result != SQLITE_OK) { throw std::runtime_error(sqlite3_errstr(result)); }
    }
    void run(const char* statement) { check(sqlite3_exec(database_.get(), statement, nullptr, nullptr, nullptr)); }

    std::unique_ptr<sqlite3, decltype(&sqlite3_close)> database_{nullptr, &sqlite3_close};
    std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> insert_{nullptr, &sqlite3_finalize};
};

std::vector<procpool::Process> ten(const std::function<void()>& work) {
    std::vector<procpool::Process> processes;
    for (int i = 0; i < 10; ++i) { processes.emplace_back(work); }
    return processes;
}

template <class T>
void finish(std::vector<procpool::Process>& stage, procpool::Queue<T>& output) {
    for (procpool::Process& process : stage) { process.join(); }
    output.close();  // the next stage takes what is left, and ends
}

int main() {
    const procpool::Shared<procpool::Queue<std::string>> lines{100};
    const procpool::Shared<procpool::Queue<Reading>> readings{100};
    const procpool::Shared<procpool::Queue<Row>> rows{100};

    procpool::Process writer{[&] {
        Database database;
        for (const Row& row : *rows) { database.add(row); }
        database.print();
    }};
    auto converters = ten([&] {
        for (const auto& [sensor, fahrenheit] : *readings) { rows->put(Row{sensor, (fahrenheit - 32) / 1.8}); }
    });
    auto mappers = ten([&] {
        for (const std::string& line : *lines) {
            const std::size_t comma = line.find(',');
            readings->put(Reading{std::stoi(line.substr(0, comma)), std::stod(line.substr(comma + 1))});
        }
    });

    for (int i = 0; i < 3000; ++i) { lines->put(fmt::format("{},{}", i % 3, 50 + i % 3 * 18 + i % 2 * 2)); }
    lines->close();
    finish(mappers, *readings);
    finish(converters, *rows);
    writer.join();
}
