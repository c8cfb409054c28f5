// SPDX-License-Identifier: BSL-1.0
// Code that a test loads after a pool was built.
extern "C" int plugin_triple(int x) { return 3 * x; }
