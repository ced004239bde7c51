/* Named points at which a test can stop the program, so that it hits exactly what it means to hit on a machine of any
 * speed. Local. Only in builds with the CMake option KTRAIN_TEST_POINTS; elsewhere a point is nothing at all.
 *
 *   KTRAIN_TEST_POINT=NAME[@RANK]:N:ACTION    when the process (RANK: of that rank) passes NAME for the N-th time
 *
 * ACTION kill: it ends as by kill -9. ACTION wait: it makes the file $KTRAIN_TEST_FOLDER/NAME.PID and sleeps until that
 * is removed. ACTION always: from then on the question KT_TEST_ASKS(NAME) is answered by yes, and elsewhere by no.
 * tests/e2e.py has the other side.
 */
#ifndef KTRAIN_TEST_POINT_H
#define KTRAIN_TEST_POINT_H

#include <stdbool.h>

#ifdef KTRAIN_TEST_POINTS
void kt_test_point(const char *name);
bool kt_test_asks(const char *name);
#define KT_TEST_POINT(name) kt_test_point(name)
#define KT_TEST_ASKS(name)  kt_test_asks(name)
#else
#define KT_TEST_POINT(name) ((void)0)
#define KT_TEST_ASKS(name)  false
#endif

#endif
