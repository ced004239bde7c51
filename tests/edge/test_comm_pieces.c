/* test_comm.c with a comm whose messages have at most 4096 bytes: what is 2^30 in ktrain, and too much for a test. */
#include "test_comm.c"
