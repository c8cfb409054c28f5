// SPDX-License-Identifier: BSL-1.0
// parallel_gzip: compresses files on all CPUs, FILE to FILE.gz.
//
// The parent reads blocks and hands them out; workers compress them; the parent writes the results, in order. Each
// block comes with the 32 KiB before it, so that nothing is lost at its edges, and ends on a whole byte: one after
// another they are one deflate stream, and the file is ordinary gzip. Only a few blocks are on their way at a time, so
// memory stays small however large the files are. The next file's blocks go out before the last one's are back: small
// files are fast too.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<unsigned char>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t block_size = 1 << 18;
constexpr std::size_t window_size = 1 << 15;  // how far back deflate can refer

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }
double megabytes(double bytes) { return bytes / 1e6; }

// ---- in the workers ------------------------------------------------------------------------------------------------

struct Deflated {
    Bytes bytes;
    std::size_t length = 0;  // of the input
    uLong crc = 0;           // of the input
    double seconds = 0;
};

/// zlib's stream and room for its output. A worker makes them once: that much new memory costs more than
/// handing over the block.
class Deflater {
public:
    explicit Deflater(int level) {
        constexpr int raw = -15;  // no header and no checksum: the whole file has one of each
        if (deflateInit2(&stream_, level, Z_DEFLATED, raw, 8, Z_DEFAULT_STRATEGY) != Z_OK) { throw std::bad_alloc{}; }
    }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
    ~Deflater() { deflateEnd(&stream_); }

    /// Valid until the next call.
    std::span<const unsigned char> compress(std::span<const unsigned char> known,
                                            std::span<const unsigned char> block) {
        deflateReset(&stream_);
        deflateSetDictionary(&stream_, known.data(), static_cast<uInt>(known.size()));
        stream_.next_in = block.data();
        stream_.avail_in = static_cast<uInt>(block.size());
        const std::size_t bound = deflateBound(&stream_, static_cast<uLong>(block.size())) + 16;
        if (room_.size() < bound) { room_.resize(bound); }
        std::size_t used = 0;
        for (;;) {
            stream_.next_out = room_.data() + used;
            stream_.avail_out = static_cast<uInt>(room_.size() - used);
            deflate(&stream_, Z_SYNC_FLUSH);
            used = room_.size() - stream_.avail_out;
            if (stream_.avail_out != 0) { return std::span(room_).first(used); }
            room_.resize(2 * room_.size());
        }
    }

private:
    z_stream stream_{};
    Bytes room_;
};

/// Compresses the bytes behind the first `known` bytes of `input`; those were compressed before, and may be referred
/// to.
Deflated deflate_block(std::span<const unsigned char> input, std::size_t known, int level) {
    static Deflater deflater{level};  // the same level in every call
    const auto start = Clock::now();
    const std::span<const unsigned char> block = input.subspan(known);
    const std::span<const unsigned char> bytes = deflater.compress(input.first(known), block);
    const uLong crc = crc32_z(0, block.data(), block.size());
    return {Bytes(bytes.begin(), bytes.end()), block.size(), crc, seconds_since(start)};
}

// ---- files ---------------------------------------------------------------------------------------------------------

/// std::FILE, with errors as exceptions.
class File {
public:
    File(const fs::path& path, const char* mode) : path_(path), file_(std::fopen(path.c_str(), mode), &std::fclose) {
        if (!file_) { fail(); }
    }
    /// Reads to the end of the span or of the file. Returns: how many bytes.
    std::size_t read(std::span<unsigned char> to) {
        const std::size_t count = std::fread(to.data(), 1, to.size(), file_.get());
        if (std::ferror(file_.get()) != 0) { fail(); }
        return count;
    }
    void write(std::span<const unsigned char> from) {
        if (std::fwrite(from.data(), 1, from.size(), file_.get()) != from.size()) { fail(); }
    }
    /// Writes buffered data: this may be when the disk turns out to be full.
    void close() {
        if (std::fclose(file_.release()) != 0) { fail(); }
    }

private:
    [[noreturn]] void fail() const { throw std::system_error(errno, std::generic_category(), path_.string()); }

    fs::path path_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

/// A file on its way to becoming a .gz. That has another name until it is complete, and is removed if it never is.
class Job {
public:
    Job(const fs::path& from, fs::path to, fs::perms permissions)
        : from_(from, "rb"),
          to_(std::move(to)),
          unfinished_(to_.string() + ".unfinished-" + std::to_string(::getpid())),
          out_(unfinished_, "wbx") {
        try {
            fs::permissions(unfinished_, permissions & fs::perms::all);
            constexpr unsigned char deflate_method = 8, unix_system = 3;
            write(Bytes{0x1f, 0x8b, deflate_method, 0, 0, 0, 0, 0, 0, unix_system});
        } catch (...) {
            fs::remove(unfinished_);
            throw;
        }
    }
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    ~Job() {
        std::error_code ignored;
        if (!finished_) { fs::remove(unfinished_, ignored); }
    }

    /// Returns: the next block, behind as many of the bytes before it as deflate can use.
    /// `buffer` holds window_size + block_size bytes, as this left them the last time.
    std::span<const unsigned char> read_block(std::span<unsigned char> buffer) {
        known_ = std::min(filled_, window_size);
        std::ranges::copy(buffer.subspan(filled_ - known_, known_), buffer.begin());
        filled_ = known_ + from_.read(buffer.subspan(known_, block_size));
        return buffer.first(filled_);
    }
    std::size_t known() const { return known_; }

    void append(const Deflated& block) {
        write(block.bytes);
        crc_ = crc32_combine(crc_, block.crc, static_cast<z_off_t>(block.length));
        length_ += block.length;
    }

    void finish() {
        Bytes end{0x03, 0x00};  // the last block of the stream, with nothing in it
        for (const std::uint64_t number : {std::uint64_t{crc_}, length_}) {
            for (int shift = 0; shift < 32; shift += 8) { end.push_back(static_cast<unsigned char>(number >> shift)); }
        }
        write(end);
        out_.close();
        fs::rename(unfinished_, to_);
        finished_ = true;
    }

    std::uint64_t written() const { return written_; }
    bool failed = false;

private:
    void write(const Bytes& bytes) {
        out_.write(bytes);
        written_ += bytes.size();
    }

    File from_;
    fs::path to_;
    fs::path unfinished_;
    File out_;
    bool finished_ = false;
    std::size_t filled_ = 0;
    std::size_t known_ = 0;
    uLong crc_ = 0;
    std::uint64_t length_ = 0;
    std::uint64_t written_ = 0;
};

// ---- on the terminal -----------------------------------------------------------------------------------------------

volatile std::sig_atomic_t interrupted = 0;
struct Interrupted {};

class ProgressBar {
public:
    explicit ProgressBar(std::uint64_t total) : total_(total), shown_(total != 0 && ::isatty(STDERR_FILENO) == 1) {}
    ~ProgressBar() { clear(); }

    void show(std::uint64_t done) {
        if (!shown_ || Clock::now() - last_ < std::chrono::milliseconds{100}) { return; }
        last_ = Clock::now();
        constexpr std::size_t width = 40;
        const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
        const std::string full(static_cast<std::size_t>(part * width), '#');
        fmt::print(stderr, "\r[{:<{}}] {:3.0f} %  {:.1f} MB/s ", full, width, 100 * part,
                   megabytes(static_cast<double>(done)) / seconds_since(start_));
        std::fflush(stderr);
    }
    void clear() const {
        if (shown_) { fmt::print(stderr, "\r{:70}\r", ""); }
    }

private:
    std::uint64_t total_;
    bool shown_;
    Clock::time_point start_ = Clock::now();
    Clock::time_point last_ = start_;
};

/// A few blocks from all over the input, to be compressed once more by one process alone: how much longer would it have
/// taken?
class Sample {
public:
    /// Keeps every block at first, then every other one, every fourth and so on, so that there are always a few.
    void offer(std::size_t number, std::span<const unsigned char> input, std::size_t known) {
        if (number % stride_ != 0) { return; }
        if (blocks_.size() == most) {
            stride_ *= 2;
            std::erase_if(blocks_, [&](const Block& one) { return one.number % stride_ != 0; });
        }
        blocks_.push_back({number, Bytes(input.begin(), input.end()), known, 0});
    }
    void took(std::size_t number, double seconds) {
        total_seconds_ += seconds;
        for (Block& one : blocks_) {
            if (one.number == number) { one.seconds = seconds; }
        }
    }
    /// Returns: the seconds that one process would have taken to compress everything.
    double estimate(int level) const {
        double alone = 0, in_pool = 0;
        for (const Block& one : blocks_) {
            alone += deflate_block(one.input, one.known, level).seconds;
            in_pool += one.seconds;
        }
        return total_seconds_ * alone / in_pool;
    }
    std::size_t size() const { return blocks_.size(); }

private:
    static constexpr std::size_t most = 8;
    struct Block {
        std::size_t number;
        Bytes input;
        std::size_t known;
        double seconds;
    };
    std::vector<Block> blocks_;
    std::size_t stride_ = 1;
    double total_seconds_ = 0;
};

struct Options {
    std::size_t workers = 0;
    int level = Z_DEFAULT_COMPRESSION;
    bool overwrite = false;
    bool quiet = false;
    std::optional<fs::path> folder;
    std::vector<fs::path> files;
};

struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

constexpr const char* usage =
    "usage: parallel_gzip [-p WORKERS] [-1 ... -9] [-f] [-q] [-o FOLDER] FILE...\n"
    "Compresses every FILE to FILE.gz, and keeps FILE.\n"
    "  -p WORKERS  how many processes compress; as many as there are CPUs if not given\n"
    "  -1 ... -9   from fast to small; -6 if not given\n"
    "  -f          overwrite a FILE.gz that exists\n"
    "  -q          no progress and no summary, whose comparison compresses a few blocks again\n"
    "  -o FOLDER   where the .gz files go; beside the files if not given\n"
    "Ends with 0, with 1 when a file could not be compressed (the others are), with 2 when it was called wrongly.\n";

Options parse(std::span<char*> arguments) {
    Options options;
    bool only_files = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        const auto value = [&]() -> std::string_view {
            if (i + 1 == arguments.size()) { throw UsageError(fmt::format("{} needs a value", argument)); }
            return arguments[++i];
        };
        if (only_files || argument.size() < 2 || argument[0] != '-') {
            options.files.emplace_back(argument);
        } else if (argument == "--") {
            only_files = true;
        } else if (argument == "-p") {
            const std::string_view text = value();
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), options.workers);
            constexpr std::size_t most = procpool::PoolOptions::max_workers;
            if (error != std::errc{} || end != text.data() + text.size() || options.workers == 0 ||
                options.workers > most) {
                throw UsageError(fmt::format("-p needs a number from 1 to {}, not '{}'", most, text));
            }
        } else if (argument == "-o") {
            options.folder = value();
            if (!fs::is_directory(*options.folder)) {
                throw UsageError(fmt::format("-o: there is no folder '{}'", options.folder->string()));
            }
        } else if (argument == "-f") {
            options.overwrite = true;
        } else if (argument == "-q") {
            options.quiet = true;
        } else if (argument.size() == 2 && argument[1] >= '1' && argument[1] <= '9') {
            options.level = argument[1] - '0';
        } else {
            throw UsageError(fmt::format("unknown option {}", argument));
        }
    }
    if (options.files.empty()) { throw UsageError("no files"); }
    return options;
}

// ---- the work ------------------------------------------------------------------------------------------------------

class Compressor {
public:
    explicit Compressor(const Options& options)
        : options_(options),
          pool_(options.workers),
          most_in_flight_(3 * pool_.size()),
          bar_(options.quiet ? 0 : total_size(options.files)) {}

    /// Returns: whether all files were compressed.
    bool run() {
        for (const fs::path& file : options_.files) {
            try {
                send(file);
            } catch (const std::exception& error) { report(error); }
        }
        while (!in_flight_.empty()) { receive(); }
        bar_.clear();
        if (blocks_sent_ != 0 && !options_.quiet) { summarise(); }
        return failures_ == 0;
    }

private:
    struct InFlight {
        std::shared_ptr<Job> job;
        std::size_t number;
        bool is_last;  // of its file
        procpool::Future<Deflated> result;
    };

    static std::uint64_t total_size(const std::vector<fs::path>& files) {
        std::uint64_t total = 0;
        for (const fs::path& file : files) {
            std::error_code missing;
            const std::uintmax_t size = fs::file_size(file, missing);
            if (!missing) { total += size; }
        }
        return total;
    }

    /// Returns: f(). Its time on the CPU counts as work on files, which one process would have to do as well.
    template <class F>
    auto on_files(F f) {
        struct Timer {
            double& sum;
            std::clock_t start = std::clock();
            ~Timer() { sum += static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC; }
        } const timer{file_seconds_};
        return f();
    }

    std::shared_ptr<Job> open(const fs::path& file) {
        std::error_code error;
        const fs::file_status status = fs::status(file, error);
        if (error) { throw std::system_error(error, file.string()); }
        if (!fs::is_regular_file(status)) { throw std::runtime_error(file.string() + ": not a regular file"); }
        fs::path target = options_.folder ? *options_.folder / file.filename() : file;
        target += ".gz";
        if (!targets_.insert(fs::weakly_canonical(target)).second) {
            throw std::runtime_error(target.string() + ": would be written twice");
        }
        if (!options_.overwrite && fs::exists(target)) {
            throw std::runtime_error(target.string() + ": exists already; -f overwrites it");
        }
        return std::make_shared<Job>(file, target, status.permissions());
    }

    void send(const fs::path& file) {
        const std::shared_ptr<Job> job = on_files([&] { return open(file); });
        for (bool is_last = false; !is_last && !job->failed;) {
            try {
                const std::span<const unsigned char> input = on_files([&] { return job->read_block(buffer_); });
                is_last = input.size() - job->known() < block_size;
                auto result = pool_.apply_async(deflate_block, input, job->known(), options_.level);
                if (!options_.quiet) { sample_.offer(blocks_sent_, input, job->known()); }
                in_flight_.push_back({job, blocks_sent_++, is_last, std::move(result)});
            } catch (...) {
                job->failed = true;
                throw;
            }
            while (in_flight_.size() >= most_in_flight_) { receive(); }
        }
    }

    /// Waits for the block that was sent first.
    void receive() {
        if (interrupted != 0) { throw Interrupted{}; }
        InFlight first = std::move(in_flight_.front());
        in_flight_.pop_front();
        if (first.job->failed) { return; }
        try {
            const Deflated block = first.result.get();
            sample_.took(first.number, block.seconds);
            on_files([&] {
                first.job->append(block);
                if (first.is_last) { first.job->finish(); }
            });
            bytes_read_ += block.length;
            bar_.show(bytes_read_);
            if (!first.is_last) { return; }
            ++files_done_;
            bytes_written_ += first.job->written();
        } catch (const std::exception& error) {
            first.job->failed = true;
            report(error);
        }
    }

    void report(const std::exception& error) {
        ++failures_;
        bar_.clear();
        fmt::print(stderr, "parallel_gzip: {}\n", error.what());
    }

    void summarise() const {
        const double seconds = seconds_since(start_);
        const auto read = static_cast<double>(bytes_read_), written = static_cast<double>(bytes_written_);
        fmt::print("files: {}, workers: {}, {:.1f} MB to {:.1f} MB in {:.2f} s: {:.1f} MB/s\n", files_done_,
                   pool_.size(), megabytes(read), megabytes(written), seconds, megabytes(read) / seconds);
        if (failures_ != 0 || blocks_sent_ < 2 * pool_.size()) { return; }  // nothing to learn from that
        const double alone = sample_.estimate(options_.level) + file_seconds_;
        fmt::print(
            "speed-up over one process: {:.2f} (that would take {:.2f} s, going by {} of the {} blocks, which it has "
            "just "
            "compressed again, and by the time spent on the files)\n",
            alone / seconds, alone, sample_.size(), blocks_sent_);
    }

    const Options& options_;
    Clock::time_point start_ = Clock::now();
    procpool::Pool pool_;
    std::size_t most_in_flight_;
    std::deque<InFlight> in_flight_;
    Bytes buffer_ = Bytes(window_size + block_size);
    std::set<fs::path> targets_;
    ProgressBar bar_;
    Sample sample_;
    std::size_t blocks_sent_ = 0;
    std::size_t files_done_ = 0;
    std::size_t failures_ = 0;
    std::uint64_t bytes_read_ = 0;
    std::uint64_t bytes_written_ = 0;
    double file_seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        const auto before = std::signal(signal, [](int number) { interrupted = number; });
        if (before == SIG_IGN) { std::signal(signal, SIG_IGN); }  // as nohup wants it
    }
    try {
        const Options options = parse(std::span(argv, static_cast<std::size_t>(argc)).subspan(1));
        return Compressor{options}.run() ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const Interrupted&) {  // by now the unfinished files are removed, and the workers ended
        std::signal(interrupted, SIG_DFL);
        std::raise(interrupted);
    } catch (const UsageError& error) {
        fmt::print(stderr, "parallel_gzip: {}\n{}", error.what(), usage);
        return 2;
    } catch (const std::exception& error) { fmt::print(stderr, "parallel_gzip: {}\n", error.what()); }
    return EXIT_FAILURE;
}
