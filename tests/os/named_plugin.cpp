// SPDX-License-Identifier: BSL-1.0
// A library that tests load and remove: with a build id, without one, and another build of it.

#ifndef PROCPOOL_TEST_BUILD
#define PROCPOOL_TEST_BUILD 1
#endif

extern "C" int procpool_test_build(int n) { return n + PROCPOOL_TEST_BUILD; }
extern "C" int procpool_test_static;
int procpool_test_static = PROCPOOL_TEST_BUILD;
