/* main() of every unit test: see test.h. An argument runs only the tests whose sentence contains it. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/Basic.h>

enum { PATH_BYTES = 4096, N_PATHS = 4 };

static const char *variable(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

static const char *join(const char *folder, const char *name)
{
    static char paths[N_PATHS][PATH_BYTES];
    static size_t next;
    char *path = paths[next++ % N_PATHS];
    if ((size_t)snprintf(path, PATH_BYTES, "%s/%s", folder, name) >= PATH_BYTES)
        CU_FAIL("a path of the test is too long");
    return path;
}

const char *kt_test_scratch(const char *name)
{
    return join(variable("KT_TEST_TMP", "."), name);
}

const char *kt_test_source(const char *name)
{
    return join(variable("KT_SOURCE_DIR", "."), name);
}

int kt_test_python(const char *script_and_arguments)
{
    char command[2 * PATH_BYTES];
    snprintf(command, sizeof command, "'%s' '%s'/%s", variable("KT_PYTHON", "/usr/bin/python3"),
             variable("KT_SOURCE_DIR", "."), script_and_arguments);
    fflush(stdout);
    int status = system(command);
    return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool kt_test_status(kt_status expected, kt_status actual, const char *text)
{
    if (actual == expected)
        return true;
    fprintf(stderr, "\n    %s: %d (%s), expected %d (%s)%s%s\n", text, (int)actual, kt_status_name(actual),
            (int)expected, kt_status_name(expected), actual == KT_OK ? "" : ": ",
            actual == KT_OK ? "" : kt_error_message());
    return false;
}

bool kt_test_message(const char *part)
{
    if (strstr(kt_error_message(), part) != NULL)
        return true;
    fprintf(stderr, "\n    the message \"%s\" does not have \"%s\"\n", kt_error_message(), part);
    return false;
}

/* Registers the chosen tests; returns their number, 0 on failure. */
static size_t register_tests(const char *chosen)
{
    CU_pSuite suite = CU_add_suite(kt_test_suite, NULL, NULL);
    size_t n = 0;
    for (const kt_test *test = kt_tests; suite != NULL && test->sentence != NULL; test++) {
        if (chosen != NULL && strstr(test->sentence, chosen) == NULL)
            continue;
        if (CU_add_test(suite, test->sentence, test->run) == NULL)
            return 0;
        n++;
    }
    return n;
}

/* Runs the chosen tests; returns the number of failures. A run that tests nothing is a failure. */
static unsigned run_tests(const char *chosen)
{
    if (CU_initialize_registry() != CUE_SUCCESS || register_tests(chosen) == 0) {
        fprintf(stderr, "%s: no tests to run: %s\n", kt_test_suite, CU_get_error_msg());
        return 1;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    if (CU_basic_run_tests() != CUE_SUCCESS)
        return 1;
    if (CU_get_number_of_asserts() == 0) {
        fprintf(stderr, "%s: the tests asserted nothing\n", kt_test_suite);
        return 1;
    }
    return CU_get_number_of_failures();
}

#ifndef KT_TEST_MPI

int main(int argc, char **argv)
{
    unsigned n_failures = run_tests(argc > 1 ? argv[1] : NULL);
    CU_cleanup_registry();
    return n_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#else

kt_comm *kt_test_world;

bool kt_test_agree(bool condition, const char *text, const char *file, int line)
{
    if (!condition)
        fprintf(stderr, "rank %d: %s:%d: false here: %s\n", kt_comm_rank(kt_test_world), file, line, text);
    int64_t n_false = condition ? 0 : 1;
    kt_comm_sum_i64(kt_test_world, &n_false, 1);
    return n_false == 0;
}

/* Every rank would print CUnit's whole report: rank 0's is enough. */
static void silence(void)
{
    int null = open("/dev/null", O_WRONLY);
    if (null < 0)
        return;
    dup2(null, STDOUT_FILENO);
    close(null);
}

/* What rank 0's report does not show. */
static void print_failures(int rank)
{
    for (CU_pFailureRecord record = CU_get_failure_list(); record != NULL; record = record->pNext)
        fprintf(stderr, "rank %d: %s:%u: %s (in \"%s\")\n", rank, record->strFileName, record->uiLineNumber,
                record->strCondition, record->pTest != NULL ? record->pTest->pName : kt_test_suite);
}

int main(int argc, char **argv)
{
    if (kt_comm_world_start(&argc, &argv, &kt_test_world) != KT_OK) {
        fprintf(stderr, "%s\n", kt_error_message());
        return EXIT_FAILURE;
    }
    int rank = kt_comm_rank(kt_test_world);
    if (rank > 0)
        silence();
    unsigned n_failures = run_tests(argc > 1 ? argv[1] : NULL);
    if (rank > 0)
        print_failures(rank);
    CU_cleanup_registry();
    int64_t n_total = n_failures;
    kt_comm_sum_i64(kt_test_world, &n_total, 1);
    if (n_total > 0 && n_failures == 0 && rank == 0)
        fprintf(stderr, "%s: other ranks had failures\n", kt_test_suite);
    kt_comm_world_stop(kt_test_world);
    return n_total == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
