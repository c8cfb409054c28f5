// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/map/driver.hpp>

#include <procpool/client/client.hpp>
#include <procpool/codec/plain.hpp>
#include <procpool/core/error.hpp>
#include <procpool/core/exception_note.hpp>
#include <procpool/core/type_name.hpp>
#include <procpool/future/task_handle.hpp>
#include <procpool/map/journaled_call.hpp>
#include <procpool/map/read_items.hpp>
#include <procpool/persist/journal.hpp>
#include <procpool/persist/lasting.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace procpool::inline v0::detail::map {

static_assert(sizeof(ChunkReport) > task::Slot::inline_bytes,
              "what a chunk has finished must be in shared memory if its worker dies");

/// A chunk whose task has been taken.
class TakenChunk final : public EndedChunk {
public:
    TakenChunk(client::Client& client, const client::Taken& taken) noexcept
        : EndedChunk(taken.phase() == task::Phase::cancelled, ending_of(taken), taken.bytes(), taken.arguments(),
                     client.place_of()),
          client_(client),
          taken_(taken) {}
    [[nodiscard]] std::exception_ptr error(std::size_t item) const override { return taken_.error(item); }
    void count_retry() const noexcept override { client_.board().control.count_retry(ending); }

private:
    [[nodiscard]] static Ending ending_of(const client::Taken& taken) noexcept {
        return taken.phase() == task::Phase::done && taken.ending() != Ending::exception ? Ending::value
                                                                                         : taken.ending();
    }

    client::Client& client_;
    const client::Taken& taken_;
};

PROCPOOL_DECL void check_call(const MapOptions& options, bool keeps_errors) {
    check_task(options);
    if (options.retry_failed && !keeps_errors) {
        throw std::invalid_argument(
            "procpool: MapOptions::retry_failed is for calls where a failed item is a result: map_outcomes(), "
            "imap_outcomes(), imap() and imap_unordered()");
    }
    const bool is_limited = options.stop_after_failures.count != 0 || options.stop_after_failures.share > 0;
    if (is_limited && !keeps_errors && options.on_error == OnError::fail_fast) {
        throw std::invalid_argument(
            "procpool: MapOptions::stop_after_failures is for calls that go on when an item fails: map_outcomes(), "
            "imap_outcomes(), imap(), imap_unordered(), or with OnError::wait_all");
    }
}

PROCPOOL_DECL void refuse_journal(const MapOptions& options, const char* call, const char* why) {
    if (options.journal) {
        throw std::invalid_argument(std::string("procpool: ") + call + " has no MapOptions::journal, since " + why);
    }
}

/// Returns: the options. Throws: std::invalid_argument, before anything has begun.
[[nodiscard]] PROCPOOL_DECL const MapOptions& checked(const MapOptions& options, bool keeps_errors) {
    check_call(options, keeps_errors);
    return options;
}

PROCPOOL_DECL Deadline expiry_of(const MapOptions& options) {
    return options.total_timeout.count() > 0 ? Deadline::after(options.total_timeout) : Deadline::never();
}

/// Looks at the time between chunks where the items run in this very thread.
[[nodiscard]] PROCPOOL_DECL std::size_t chunk_size_of(const client::Client& client, const MapOptions& options) {
    return options.total_timeout.count() > 0 && client.runs_here() ? 1 : options.chunk_size;
}

/// Calls in the caller's own code, such as the range and the listener to progress, that may have chunks in their slots.
inline constexpr std::size_t calls_within_calls = 4;

PROCPOOL_DECL MapDriver::MapDriver(client::Client& client, const MapOptions& options, ResultSink& sink,
                                   const ChunkTraits& traits, DrivenBy driven_by, const StopRequest& request,
                                   std::optional<Deadline> expires)
    : client_(client),
      options_(checked(options, traits.keeps_errors)),
      sink_(sink),
      traits_(traits),
      driven_by_(driven_by),
      request_(request),
      expires_(driven_by == DrivenBy::consumer ? Deadline::never()
               : expires                       ? *expires
                                               : expiry_of(options)),
      goes_on_(options.on_error == OnError::wait_all && !traits.keeps_errors),
      lease_(client.parkers().lease()),
      keeps_slot_(driven_by != DrivenBy::consumer &&
                  client.board().parents_slots().size() >=
                      calls_within_calls * chunks_per_worker * client.board().all_places()),
      progress_(options.progress, traits.items.value_or(0)),
      sizes_(chunk_size_of(client, options), driven_by == DrivenBy::consumer ? std::nullopt : traits.items,
             client.board().all_workers(), traits.bytes_per_item),
      ledger_({.goes_on = goes_on_,
               .keeps_errors = traits.keeps_errors,
               .folds = traits.folds,
               .retries = options.retries,
               .total_timeout = options.total_timeout,
               .label = options.label,
               .limit = options.stop_after_failures},
              sink, sizes_) {
    if (driven_by == DrivenBy::caller) { hold_.emplace(pool::KeepOpen{client, client::OpenUntil::returned}); }
    ledger_.in_flight().reserve(most_in_flight());
    // If submissions return when the task has been run, nothing is left that could take long.
    if (options.hedge != 0 && !client.runs_here()) { hedges_ = std::make_unique<Hedges>(options.hedge); }
}

PROCPOOL_DECL MapDriver::~MapDriver() { end_callable(); }

/// Chunks may still run where the consumer has gone: they have been asked to stop.
PROCPOOL_DECL void MapDriver::end_callable() noexcept {
    if (callable_ == nullptr || !client_.is_mine()) { return; }
    std::vector<InFlightChunk>& chunks = ledger_.in_flight();
    try {
        std::vector<client::Ticket> readers;
        readers.reserve(chunks.size());
        for (const InFlightChunk& chunk : chunks) {
            if (!chunk.is_taken()) { readers.push_back(chunk.ticket); }
        }
        if (hedges_ != nullptr) { hedges_->add_readers(chunks, client_, readers); }
        callable_->end(std::move(readers));
    } catch (const std::bad_alloc&) {
        abandon();
        return end_callable();
    }
    callable_.reset();
    if (chunks.empty() && hedges_ == nullptr) { return; }
    chunks.clear();
    if (hedges_ != nullptr) { hedges_->forget_lost(); }
    client_.free_ended_calls();
}

PROCPOOL_DECL void MapDriver::run() {
    try {
        while (has_input()) {
            if (ledger_.in_flight().size() >= most_in_flight() || !submit_next()) { wait(Deadline::never()); }
            collect();
            report_progress();
        }
        while (in_flight()) {
            wait(Deadline::never());
            collect();
            report_progress();
        }
        end_hedges(true);
    } catch (...) {  // of the listener to progress, or for want of memory
        abandon();
        throw;
    }
    if (!error()) {
        try {
            sink_.end();
        } catch (...) { ledger_.note(submitted_, std::current_exception()); }
    }
    end_progress();
    if (error()) { std::rethrow_exception(error()); }
}

PROCPOOL_DECL bool MapDriver::has_input() {
    if (ledger_.is_overdue()) { return unread_ != 0; }
    if (ledger_.is_stopped()) { return false; }
    if (journaled_ != nullptr && journaled_->has_runs()) { return true; }
    return !is_input_over();
}

PROCPOOL_DECL bool MapDriver::is_input_over() {
    if (input_over_) { return true; }
    try {
        input_over_ = is_at_end();
    } catch (...) { end_input(std::current_exception()); }
    return input_over_;
}

/// The arguments of a chunk. One class for all, so that Client::submit() is compiled once.
struct MapDriver::Arguments {
    MapDriver& driver;
    InFlightChunk& chunk;
    std::size_t wanted = 0;                         // items, where they are yet to be encoded
    const std::vector<std::byte>* again = nullptr;  // where they have been
    void operator()(Writer& out) const {
        if (again != nullptr) {
            out.write(again->data(), again->size());
            if (const client::Encoding* const task = client::Encoding::of(out)) {
                task->values().add_all(chunk.values);
            }
            if (driver.callable_ != nullptr) { driver.callable_->refer_from(out); }
        } else {
            driver.encode(out, wanted, chunk);
        }
    }
};

PROCPOOL_DECL bool MapDriver::submit_next(std::size_t most) {
    keep_time();  // it is known here whether there is a next item
    if (ledger_.is_overdue()) {
        const std::size_t count = std::min(most, unread_);
        unread_ -= count;
        ledger_.end_overdue(std::exchange(submitted_, submitted_ + count), count);
        return true;
    }
    if (journaled_ != nullptr) { return submit_next_journaled(most); }
    const std::size_t size = std::min(most, sizes_.wanted());
    InFlightChunk chunk{.first = submitted_};
    const std::size_t wanted = sizes_.hand_out(traits_.folds ? fit_to_blocks(size, chunk.head) : size);
    std::optional<client::Ticket> ticket;
    try {
        ticket = submit({*this, chunk, wanted});
    } catch (...) {
        end_input(std::current_exception());
        return true;
    }
    if (driven_by_ == DrivenBy::consumer && expires_.is_never()) { expires_ = expiry_of(options_); }  // the first item
    if (!ticket) {
        sizes_.put_back(wanted);
        return false;
    }
    submitted_ += chunk.head.count;
    ledger_.add(std::move(chunk), client_, *ticket);
    if (const std::exception_ptr error = take_input_error()) { end_input(error); }
    return true;
}

/// Effects: reads items, and gives those to the ledger that the journal has results of; or submits a chunk of those
/// that were read before.
PROCPOOL_DECL bool MapDriver::submit_next_journaled(std::size_t most) {
    JournaledCall& journaled = *journaled_;
    if (!journaled.has_runs()) { read_on(most); }
    if (!journaled.has_runs() || ledger_.is_stopped()) { return true; }
    const JournaledCall::Run run = journaled.next_run();
    InFlightChunk chunk{.first = journaled.items().first() + run.from};
    std::size_t size = run.is_one_chunk ? run.count : std::min(run.count, journaled_size());
    if (traits_.folds) { size = fit_run_to_blocks(run.from, run.count, size, chunk.head); }
    std::optional<client::Ticket> ticket;
    try {
        ticket = submit({*this, chunk, size});
    } catch (...) {
        journaled.drop_runs([](std::size_t, std::size_t) {});
        end_input(std::current_exception(), chunk.first);
        return true;
    }
    if (driven_by_ == DrivenBy::consumer && expires_.is_never()) { expires_ = expiry_of(options_); }  // the first item
    if (!ticket) { return false; }
    const auto checksums = journaled.items().checksums(run.from).first(chunk.head.count);
    chunk.checksums.assign(checksums.begin(), checksums.end());
    journaled.submitted(chunk.head.count);
    ledger_.add(std::move(chunk), client_, *ticket);
    return true;
}

PROCPOOL_DECL void MapDriver::read_on(std::size_t most) {
    JournaledCall& journaled = *journaled_;
    const JournaledCall::Wanted wanted = journaled.find(submitted_);
    std::size_t count = std::min(most, wanted.most);
    if (!wanted.is_recorded) {
        ChunkHead unused{};
        const std::size_t size = std::min(most, journaled_size());
        count = std::min(count, traits_.folds ? fit_to_blocks(size, unused) : size);
    }
    count = sizes_.hand_out(count);
    read_items(count, journaled.items());
    const std::size_t read = journaled.items().count();
    sizes_.put_back(count - read);
    submitted_ += read;
    if (const std::exception_ptr error = take_input_error()) { end_input(error); }
    if (traits_.folds) { static_cast<void>(is_input_over()); }
    journaled.settle(ledger_, sink_, input_over_);
}

/// Returns: items of a chunk that a worker returns in a few parts at most, each of which is recorded as it comes.
PROCPOOL_DECL std::size_t MapDriver::journaled_size() const noexcept {
    constexpr double longest = 100e6;  // nanoseconds
    const std::size_t size = sizes_.wanted();
    if (sizes_.is_fixed() || sizes_.cost() * static_cast<double>(size) <= longest) { return size; }
    return std::max<std::size_t>(1, static_cast<std::size_t>(longest / sizes_.cost()));
}

/// As fit_to_blocks(), of items that were read: there may be no more of them in a block that is not the last.
PROCPOOL_DECL std::size_t MapDriver::fit_run_to_blocks(std::size_t from, std::size_t count, std::size_t size,
                                                       ChunkHead& head) const {
    const ReadItems& items = journaled_->items();
    const std::size_t into = (items.first() + from) % fold_block;
    const bool is_last = input_over_ && from + count == items.count();
    const std::size_t whole = is_last ? count : count - count % fold_block;
    if (into == 0 && whole != 0 && (size >= std::min(whole, fold_block) || !is_worth_splitting())) {
        return std::min(whole, ((std::min(size, SIZE_MAX / 2) - 1) / fold_block + 1) * fold_block);
    }
    head.flags = ChunkHead::apart;
    return std::min({size, count, fold_block - into});
}

PROCPOOL_DECL void MapDriver::open_journal(const JournalTypes& types) {
    if (!types.results_last) {
        throw CodecError("procpool: a journal cannot keep results of type " + type_name(types.results) +
                         ", which may hold addresses");
    }
    const bool by_version = !options_.journal_version.empty();
    std::vector<std::byte> known;
    Writer out{known, codec::grow_vector, &known, persist::visibility_in_another_run};
    types.known(out);
    const bool keeps_nothing = types.results == typeid(void);
    std::string results = type_name(types.results);
    if (traits_.folds) { results += " folded to " + type_name(types.sums); }
    journaled_ = std::make_unique<JournaledCall>(
        client_, options_,
        persist::JournalIdentity{.call = traits_.keeps_errors ? "outcomes"
                                         : traits_.folds      ? "sums"
                                         : keeps_nothing      ? "nothing"
                                                              : "results",
                                 .results = std::move(results),
                                 .items = type_name(types.items),
                                 .code = by_version
                                             ? "version " + options_.journal_version
                                             : persist::name_of_code(reinterpret_cast<std::uintptr_t>(traits_.code)),
                                 .function = persist::text_of_function(std::span{known}.first(out.size()))},
        JournaledCall::Rules{.keeps_errors = traits_.keeps_errors,
                             .folds = traits_.folds,
                             .framed = traits_.frames && (goes_on_ || traits_.keeps_errors)});
    ledger_.record_in(journaled_->journal());
}

PROCPOOL_DECL void MapDriver::wait(Deadline deadline) {
    const std::vector<InFlightChunk>& chunks = ledger_.in_flight();
    if (chunks.empty()) {  // there are no slots
        if (!may_wait_for_slot() && !(driven_by_ == DrivenBy::caller && client_.make_room_in_task())) {
            lease_.park(deadline.or_sooner(expires_).or_sooner(Deadline::after(std::chrono::milliseconds{1})));
        }
        return keep_time();
    }
    if (hedges_ != nullptr) {
        hedge();
        deadline = deadline.or_sooner(hedges_->next());
    }
    const auto something = [&] {
        return request_.has_news(obeyed_) ||
               std::any_of(chunks.begin(), chunks.end(), [](const InFlightChunk& one) { return one.is_decided(); });
    };
    const bool soon = sizes_.time_of(chunks.front().head.count) < std::chrono::microseconds{50};
    client_.wait_on(lease_, something, deadline.or_sooner(progress_.next()).or_sooner(expires_), soon);
    keep_time();
}

/// Chunks begin in the order in which they were sent, so that one that is decided has no more before it than there are
/// workers, old ones that are being replaced included: so few looks are enough, however many are in flight.
PROCPOOL_DECL bool MapDriver::has_news() const {
    if (ledger_.has_resubmissions() || request_.has_news(obeyed_)) { return true; }
    const std::vector<InFlightChunk>& chunks = ledger_.in_flight();
    const std::size_t few = std::min(chunks.size(), 2 * std::size_t{client_.board().all_workers()});
    for (std::size_t i = 0; i < few; ++i) {
        if (chunks[i].is_decided()) { return true; }
    }
    return false;
}

PROCPOOL_DECL void MapDriver::collect() {
    if (request_.has_news(obeyed_)) { obey(); }
    struct EraseTaken {
        Ledger& ledger;
        ~EraseTaken() { ledger.erase_taken(); }
    };
    {
        const EraseTaken at_end{ledger_};
        std::vector<InFlightChunk>& chunks = ledger_.in_flight();
        // Backwards: if we see a chunk decided, we also see those decided before it. Then in the order in which they
        // were sent.
        for (auto chunk = chunks.rbegin(); chunk != chunks.rend(); ++chunk) {
            chunk->seen_decided = chunk->is_decided();
        }
        for (InFlightChunk& chunk : chunks) {
            if (!chunk.seen_decided) { continue; }
            if (chunk.hedge == nullptr) {
                settle(std::move(chunk));
            } else {
                settle_hedged(chunk);
            }
        }
    }
    resubmit();
}

PROCPOOL_DECL void MapDriver::report_progress() {
    if (!progress_.is_due()) { return; }
    std::size_t done = ledger_.settled();
    for (const InFlightChunk& chunk : ledger_.in_flight()) {
        const bool is_hedged = chunk.hedge != nullptr && chunk.hedge->is_submitted();
        done += std::max(client_.items_done(chunk.ticket), is_hedged ? client_.items_done(chunk.hedge->ticket) : 0);
    }
    progress_.report(done);
}

PROCPOOL_DECL void MapDriver::end_progress() {
    ledger_.close();
    if (journaled_ != nullptr && !options_.journal_keep && !error() && !ledger_.has_failures()) {
        journaled_->journal().remove();
    }
    try {
        progress_.end(ledger_.settled(), error() == nullptr);
    } catch (...) {
        if (!error()) { throw; }
    }
}

/// The pool may grow meanwhile.
PROCPOOL_DECL std::size_t MapDriver::most_in_flight() const noexcept { return chunks_per_worker * workers(); }

PROCPOOL_DECL std::size_t MapDriver::workers() const noexcept { return client_.board().all_workers(); }

/// Chunks that stay in their slots must not wait for slots: that would be waiting for ourselves. Nor can a call that
/// has to look at the time.
PROCPOOL_DECL bool MapDriver::may_wait_for_slot() const noexcept {
    return ledger_.in_flight().empty() && driven_by_ == DrivenBy::caller && expires_.is_never();
}

PROCPOOL_DECL client::Submission MapDriver::submission() const {
    return {.code = traits_.code,
            .patience = may_wait_for_slot() ? client::Patience::wait : client::Patience::try_once,
            .timeout = options_.timeout,
            .priority = options_.priority,
            .label = options_.label,
            .keeps_slot = keeps_slot_,
            .waiter = lease_ ? lease_.index() : client::Submission::no_waiter,
            .accepted_before_close = true};
}

PROCPOOL_DECL void MapDriver::write_callable(Writer& out, ChunkHead& head, client::Encode encode) {
    if (callable_ == nullptr) { callable_ = std::make_unique<SentCallable>(client_); }
    callable_->write(out, head, encode);
}

/// Throws: as Client::submit(); but the call was accepted before the pool was terminated, if it was: it is not refused,
/// but unfinished.
PROCPOOL_DECL std::optional<client::Ticket> MapDriver::submit(const Arguments& arguments) {
    try {
        return client_.submit(submission(), arguments);
    } catch (const PoolClosed&) {
        if (client_.life() > task::Life::closing) { throw PoolTerminated{}; }
        throw;
    }
}

PROCPOOL_DECL void MapDriver::encode(Writer& out, std::size_t wanted, InFlightChunk& chunk) {
    ChunkHead& head = chunk.head;
    const bool exact = options_.timeout.count() > 0 || options_.retries > 0 || goes_on_ || traits_.keeps_errors ||
                       journaled_ != nullptr;
    const bool framed = traits_.frames && (goes_on_ || traits_.keeps_errors);
    const bool brief = driven_by_ == DrivenBy::consumer && !sizes_.is_fixed();
    // A chunk tells one failure only: it ends there where each of them counts, or what comes behind is recorded.
    const bool goes_on = goes_on_ && journaled_ == nullptr && !ledger_.is_limited();
    head.flags |= (exact ? ChunkHead::exact : 0) | (goes_on ? ChunkHead::goes_on : 0) |
                  (framed ? ChunkHead::framed : 0) | (brief ? ChunkHead::brief : 0) |
                  (journaled_ != nullptr ? ChunkHead::recorded : 0);
    head.results = reinterpret_cast<std::uint64_t>(sink_.address(submitted_));
    if (journaled_ == nullptr) {
        encode_items(out, wanted, head);
    } else {
        codec::encode_plain(out, head);
        write_function(out, head, chunk.first);
        head.count = journaled_->items().write(out, journaled_->next_run().from, wanted);
        std::memcpy(out.buffer().data(), &head, sizeof head);
    }
    chunk.argument_bytes = out.size();
    if ((!keeps_slot_ && (head.count > 1 || options_.retries > 0)) || hedges_ != nullptr) {
        chunk.arguments.assign(out.buffer().data(), out.buffer().data() + out.size());
    }
    const client::Encoding* const task = client::Encoding::of(out);
    if (task != nullptr && !task->values().empty()) { chunk.values.add_all(task->values()); }
}

PROCPOOL_DECL void MapDriver::resubmit() {
    while (ledger_.has_resubmissions()) {
        InFlightChunk& chunk = ledger_.next_resubmission();
        std::optional<client::Ticket> ticket;
        try {
            ticket = submit_again(chunk);
        } catch (...) {
            ledger_.resubmission_failed(std::current_exception());
            continue;
        }
        if (!ticket) { return; }
        ledger_.resubmitted_as(client_, *ticket, keeps_slot_ && hedges_ == nullptr);
    }
}

/// Effects: submits a chunk whose arguments are kept.
PROCPOOL_DECL std::optional<client::Ticket> MapDriver::submit_again(InFlightChunk& chunk) {
    return submit({*this, chunk, 0, &chunk.arguments});
}

PROCPOOL_DECL void MapDriver::settle(InFlightChunk chunk) {
    const client::Taken taken = chunk.task.take();
    settle_as(std::move(chunk), taken);
}

PROCPOOL_DECL void MapDriver::settle_as(InFlightChunk chunk, const client::Taken& taken) {
    if (hedges_ != nullptr) { hedges_->learn(chunk, taken.bytes()); }
    ledger_.settle(std::move(chunk), TakenChunk{client_, taken});
}

/// Effects: stops the call as it was requested.
PROCPOOL_DECL void MapDriver::obey() {
    obeyed_ = request_.kind();
    stop();
    if (obeyed_ == StopRequest::Kind::kill) { kill_running(); }
}

PROCPOOL_DECL void MapDriver::expire() {
    expires_ = Deadline::never();
    if (traits_.reads_at_once && !ledger_.is_stopped()) {
        static_cast<void>(is_input_over());
    }  // another input may never come back
    const bool reads_on = !input_over_ && !ledger_.is_stopped();
    unread_ = !reads_on ? 0 : traits_.items ? *traits_.items - submitted_ : 1;
    ledger_.expire();
    if (journaled_ != nullptr) {
        journaled_->drop_runs([this](std::size_t first, std::size_t count) { ledger_.end_overdue(first, count); });
    }
    kill_running();
}

PROCPOOL_DECL void MapDriver::kill_running() const {
    for (const InFlightChunk& chunk : ledger_.in_flight()) {
        if (chunk.is_taken()) { continue; }
        if (chunk.hedge != nullptr && chunk.hedge->is_submitted()) { chunk.hedge->task.kill(); }
        chunk.task.kill();
    }
    if (hedges_ != nullptr) { hedges_->kill_lost(); }
}

/// Effects: as stop(), and blocks until nothing of the call runs any more; results and errors are dropped.
PROCPOOL_DECL void MapDriver::abandon() noexcept {
    stop();
    progress_.stop();
    if (hedges_ != nullptr) { hedges_->lose_all(ledger_.in_flight()); }
    for (;;) {
        if (request_.has_news(obeyed_)) { obey(); }
        std::erase_if(ledger_.in_flight(),
                      [](const InFlightChunk& chunk) { return chunk.is_taken() || chunk.is_decided(); });
        if (ledger_.in_flight().empty()) { return end_hedges(true); }
        wait(Deadline::never());
    }
}

/// Effects: the range gives no more items; `error` counts as one of the item `index`.
PROCPOOL_DECL void MapDriver::end_input(const std::exception_ptr& error, std::size_t index) {
    input_over_ = true;
    core::note_item(error, index);
    ledger_.note(index, error);
    if (!goes_on_ && driven_by_ != DrivenBy::consumer) { stop(); }
}

/// Items of one block are spread over several chunks where they take so long that whole blocks would leave workers
/// idle. Their results are folded here then, which is one thread: so not where that would take longer than what it
/// saves. Returns: the number of items, about `size`, of the next chunk; the head says whether they are folded.
PROCPOOL_DECL std::size_t MapDriver::fit_to_blocks(std::size_t size, ChunkHead& head) const noexcept {
    const std::size_t into = submitted_ % fold_block;
    if (into == 0 && (size >= fold_block || !is_worth_splitting())) {
        return ((std::min(size, SIZE_MAX / 2) - 1) / fold_block + 1) * fold_block;
    }
    head.flags = ChunkHead::apart;
    return std::min(size, fold_block - into);
}

PROCPOOL_DECL bool MapDriver::is_worth_splitting() const noexcept {
    const double item = sizes_.cost();
    if (sizes_.is_fixed() || item == 0) { return true; }
    const double folding = ledger_.folding_cost();
    const auto workers = static_cast<double>(client_.board().all_workers());
    if (!traits_.items) { return folding * workers < item; }
    constexpr auto block = static_cast<double>(fold_block);
    const auto left = static_cast<double>(*traits_.items - submitted_);
    const double rounds = std::ceil(std::ceil(left / block) / workers);  // of whole blocks, one for each worker
    return left * std::max(folding, item / workers) < rounds * std::min(left, block) * (item + folding);
}

}  // namespace procpool::detail::map
