/* attempts.h: what the starts of a run come to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/attempts.h"
#include "test.h"

const char *const kt_test_suite = "attempts";

static const char head[] = "started,last_seen,from_step,reached_step,ranks,host,session\n";

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CU_ASSERT_FATAL(file != NULL);
    fputs(text, file);
    fclose(file);
}

static void check(const char *rows, int64_t n, int64_t lost_steps, double wall_seconds)
{
    char text[4096];
    snprintf(text, sizeof text, "%s%s", head, rows);
    write_text("attempts.csv", text);
    const kt_attempts_sum sum = kt_attempts_read("attempts.csv");
    CU_ASSERT(sum.n == n && sum.lost_steps == lost_steps);
    CU_ASSERT_DOUBLE_EQUAL(sum.wall_seconds, wall_seconds, 1e-6);
}

static void sums(void)
{
    check("", 0, 0, 0);
    check("100.0,110.5,0,70,2,a,0\n", 1, 0, 10.5);
    check("100.0,110.0,0,70,2,a,0\n200.0,205.0,60,90,3,b,0\n", 2, 10, 15); /* by hand: the pause is no loss */
    check("100.0,110.0,0,70,2,a,9\n112.0,115.0,70,90,2,a,9\n", 2, 0, 15);  /* by ktrun: it is */
    check("100.0,110.0,0,70,2,a,9\n112.0,115.0,70,90,2,a,8\n", 2, 0, 13);  /* by two of them */
    check("100.0,110.0,0,70,2,a,0\n200.0,205.0,60,90,2,a,0\n300.0,301.0,0", 2, 10, 15); /* a row that was cut */
    check("what people write\n", 0, 0, 0);
}

static kt_status begin(const char *path, int64_t from_step, int64_t before, kt_attempts **out)
{
    const kt_attempt attempt = {from_step, 2, "a", before};
    return kt_attempts_open(path, &attempt, out);
}

static void absent(void)
{
    const kt_attempts_sum sum = kt_attempts_read("there/is/none.csv");
    CU_ASSERT(sum.n == 0 && sum.lost_steps == 0 && sum.wall_seconds == 0);
    kt_attempts *a;
    CU_ASSERT(begin("there/is/none.csv", 0, 0, &a) == KT_IO && a == NULL);
    CU_ASSERT(strstr(kt_error_message(), "there/is/none.csv: cannot be written") != NULL);
    kt_attempts_tell(NULL, 1);
    kt_attempts_close(NULL, 1);
}

static void starts(void)
{
    kt_attempts *a;
    remove("two.csv");
    unsetenv("KTRUN_STARTED");
    CU_ASSERT_FATAL(begin("two.csv", 0, 77, &a) == KT_OK);
    CU_ASSERT(kt_attempts_read("two.csv").n == 1); /* before anything was done */
    kt_attempts_close(a, 123456);
    CU_ASSERT_FATAL(begin("two.csv", 123450, 0, &a) == KT_OK);
    kt_attempts_close(a, 123460);
    const kt_attempts_sum sum = kt_attempts_read("two.csv");
    CU_ASSERT(sum.n == 2 && sum.lost_steps == 6 && sum.wall_seconds >= 0);
    CU_ASSERT_FATAL(begin("two.csv", 123460, 123480, &a) == KT_OK); /* killed between two words */
    kt_attempts_close(a, 123500);
    const kt_attempts_sum more = kt_attempts_read("two.csv");
    CU_ASSERT(more.n == 3 && more.lost_steps == 26);
}

/* What ktrun tells of itself is taken when it is a number, and no other text. */
static void session(void)
{
    static const struct row {
        const char *text, *end;
    } rows[] = {{"77", ",77\n"}, {"77x", ",0\n"}, {"-5", ",0\n"}, {"", ",0\n"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[512] = "";
        kt_attempts *a;
        remove("session.csv");
        setenv("KTRUN_SESSION", rows[i].text, 1);
        CU_ASSERT_FATAL(begin("session.csv", 0, 0, &a) == KT_OK);
        kt_attempts_close(a, 1);
        FILE *file = fopen("session.csv", "r");
        CU_ASSERT_FATAL(file != NULL);
        CU_ASSERT(fgets(line, sizeof line, file) != NULL && strcmp(line, head) == 0);
        CU_ASSERT_FATAL(fgets(line, sizeof line, file) != NULL);
        fclose(file);
        CU_ASSERT(strcmp(line + strlen(line) - strlen(rows[i].end), rows[i].end) == 0);
    }
    unsetenv("KTRUN_SESSION");
}

const kt_test kt_tests[] = {
    {"steps that were trained again, and time, are summed over starts", sums},
    {"where there is no file there is nothing, and no file can be no failure of a run", absent},
    {"each start adds a row, and writes over its own", starts},
    {"a session is a number", session},
    {NULL, NULL},
};
