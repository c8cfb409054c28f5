// SPDX-License-Identifier: BSL-1.0
// The main program of every test program. Beside Catch's own command line it knows
//     program --cases FILE    writes the test cases into FILE, one call of procpool_case() each (see discover.cmake.in)
// It fails when a test case leaves something behind, and when no test case was chosen.
#define CATCH_CONFIG_RUNNER
#include "catch.hpp"
#include "leak_check.hpp"

#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace {

#if __has_include(<catch2/catch_all.hpp>)
using ListenerBase = Catch::EventListenerBase;
const Catch::TestCaseInfo& info_of(const Catch::TestCaseHandle& test) { return test.getTestCaseInfo(); }
#else
using ListenerBase = Catch::TestEventListenerBase;
const Catch::TestCaseInfo& info_of(const Catch::TestCase& test) { return test; }
#endif

int cases_run = 0;
int cases_leaking = 0;

class LeakListener : public ListenerBase {
public:
    using ListenerBase::ListenerBase;

    void testCaseStarting(const Catch::TestCaseInfo& test) override {
        name_ = std::string{test.name};
        check_.emplace();
    }

    void testCaseEnded(const Catch::TestCaseStats&) override {
        ++cases_run;
        const std::vector<std::string> lines = check_->differences();
        if (lines.empty()) { return; }
        ++cases_leaking;
        std::fprintf(stderr, "LEAK: test case \"%s\" changed its process:\n", name_.c_str());
        for (const std::string& line : lines) { std::fprintf(stderr, "  %s\n", line.c_str()); }
    }

private:
    std::string name_;
    std::optional<procpool_test::LeakCheck> check_;
};

// The argument that selects exactly this name on Catch's command line.
std::string selector(const std::string& name) {
    std::string escaped;
    for (const char c : name) {
        if (std::string_view{"\\[]\""}.find(c) != std::string_view::npos) { escaped += '\\'; }
        escaped += c;
    }
    return escaped;
}

/// Returns: whether all names are without commas, which separate names on Catch's command line.
bool write_cases(std::ostream& out) {
    bool good = true;
    for (const auto& test : Catch::getRegistryHub().getTestCaseRegistry().getAllTests()) {
        const Catch::TestCaseInfo& info = info_of(test);
        if (info.isHidden()) { continue; }
        const std::string name{info.name};
        if (name.find(',') != std::string::npos) {
            std::fprintf(stderr, "a comma in the name of a test case: \"%s\"\n", name.c_str());
            good = false;
        }
        out << "procpool_case([==[" << name << "]==] [==[" << selector(name) << "]==] [==[" << info.tagsAsString()
            << "]==])\n";
    }
    return good;
}

}  // namespace

CATCH_REGISTER_LISTENER(LeakListener)

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view{argv[1]} == "--cases") {
        std::ofstream file{argv[2]};
        const bool good = write_cases(file);
        return good && file.flush() ? 0 : 1;
    }
    Catch::Session session;
    const int wrong_usage = session.applyCommandLine(argc, argv);
    if (wrong_usage != 0) { return wrong_usage; }
    const int failed = session.run();
    const bool none_of_those = cases_run == 0 && !session.configData().testsOrTags.empty();
    if (none_of_those) { std::fprintf(stderr, "no test case was chosen\n"); }
    return failed != 0 ? failed : none_of_those || cases_leaking > 0 ? 1 : 0;
}
