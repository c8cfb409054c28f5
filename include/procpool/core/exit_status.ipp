// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <procpool/core/exit_status.hpp>

#include <string>

namespace procpool::inline v0 {

PROCPOOL_DECL std::string to_string(ExitStatus status) {
    if (status.exited()) { return "exited with code " + std::to_string(status.code()); }
    if (!status.signaled()) { return "ended in an unknown way"; }
    const char* name = nullptr;
    switch (status.signal()) {  // the numbers are the same on every Linux but those of MIPS, SPARC and PA-RISC
        case 1: name = "SIGHUP"; break;
        case 2: name = "SIGINT"; break;
        case 3: name = "SIGQUIT"; break;
        case 4: name = "SIGILL"; break;
        case 5: name = "SIGTRAP"; break;
        case 6: name = "SIGABRT"; break;
        case 7: name = "SIGBUS"; break;
        case 8: name = "SIGFPE"; break;
        case 9: name = "SIGKILL"; break;
        case 11: name = "SIGSEGV"; break;
        case 13: name = "SIGPIPE"; break;
        case 14: name = "SIGALRM"; break;
        case 15: name = "SIGTERM"; break;
        case 24: name = "SIGXCPU"; break;
        case 31: name = "SIGSYS"; break;
        default: break;
    }
    const std::string number = "was killed by signal " + std::to_string(status.signal());
    return name == nullptr ? number : number + " (" + name + ")";
}

}  // namespace procpool
