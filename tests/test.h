/* The frame of all unit tests: CUnit, one executable per tests/test_x.c, the same source for one process and for many
 * ranks.
 *
 * A test file defines kt_test_suite and kt_tests; tests/test.c holds main(). With KT_TEST_MPI (a test with RANKS in
 * tests/CMakeLists.txt) every rank runs every test in the same order; the run fails on all ranks when it fails on one.
 * No assertion returns early, so that a rank whose assertion fails still meets the others in the next collective
 * call. */
#ifndef KTRAIN_TEST_H
#define KTRAIN_TEST_H

#include <stdbool.h>

#include <CUnit/CUnit.h>

#include "base/status.h"

typedef struct kt_test {
    const char *sentence; /* what holds: "a truncated npy file is refused with its length" */
    void (*run)(void);
} kt_test;

/* Defined by the test file; kt_tests ends with {NULL, NULL}. */
extern const char *const kt_test_suite;
extern const kt_test kt_tests[];

#ifdef KT_TEST_MPI
#include "edge/comm.h"

extern kt_comm *kt_test_world; /* all ranks of this test; borrowed */

/* Collective: true on every rank when `condition` is true on all of them; the ranks where it is false say so. */
bool kt_test_agree(bool condition, const char *text, const char *file, int line);

/* Collective: one assertion, with the same outcome on all ranks. */
#define KT_CHECK(condition)                                                                                   \
    CU_assertImplementation(kt_test_agree((condition), #condition, __FILE__, __LINE__), __LINE__, #condition, \
                            __FILE__, "", CU_FALSE)
#else
#define KT_CHECK(condition) CU_ASSERT(condition)
#endif

/* Asserts that `call` returned `expected`, and prints the recorded sentence when it did not. Local. */
#define KT_CHECK_STATUS(expected, call) \
    CU_assertImplementation(kt_test_status((expected), (call), #call), __LINE__, #call, __FILE__, "", CU_FALSE)
bool kt_test_status(kt_status expected, kt_status actual, const char *text);

/* Asserts that the recorded sentence holds `part`. Local. */
#define KT_CHECK_MESSAGE(part) \
    CU_assertImplementation(kt_test_message(part), __LINE__, "message has: " part, __FILE__, "", CU_FALSE)
bool kt_test_message(const char *part);

/* Paths: a file of the scratch folder ($KT_TEST_TMP, empty when the test starts, shared by its ranks), or of the
 * source tree
 * ($KT_SOURCE_DIR). The string is valid until the fourth next call. */
const char *kt_test_scratch(const char *name);
const char *kt_test_source(const char *name);

/* Runs `script arguments` (a path in the source tree) by $KT_PYTHON and returns its exit code, -1 when it could not
 * start. Local. */
int kt_test_python(const char *script_and_arguments);

#endif
