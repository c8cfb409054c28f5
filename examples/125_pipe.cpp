// SPDX-License-Identifier: BSL-1.0
// A pipe: two ends, through which values go both ways between two processes. When the process at the other end closes
// it or dies, recv() gives what was sent before, and then throws.

#include <procpool/procpool.hpp>

#include <fmt/core.h>

#include <csignal>
#include <string>

int main() {
    const auto [here, there] = procpool::pipe<std::string>();

    procpool::Process speller{[end = there.get()] {
        end->bind();  // from now on this process's death is the end of file
        for (;;) {
            std::string word = end->recv();
            if (word == "crash") { ::raise(SIGKILL); }
            for (char& letter : word) { letter = static_cast<char>(letter - 'a' + 'A'); }
            end->send(word);
        }
    }};
    for (const char* const word : {"hello", "pipe"}) {
        here->send(word);
        fmt::print("{} is spelt {}\n", word, here->recv());
    }

    here->send("crash");
    try {
        fmt::print("it says {}\n", here->recv());
    } catch (const procpool::EndOfFile&) { fmt::print("the speller is gone\n"); }
    try {
        here->send("are you there?");
    } catch (const procpool::BrokenPipe&) { fmt::print("nobody will hear it\n"); }
    speller.join();
}
