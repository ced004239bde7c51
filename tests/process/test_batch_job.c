/* batch_job.h: squeue's answers, by a squeue of the test's own. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "process/batch_job.h"
#include "test.h"

const char *const kt_test_suite = "batch_job";

static void times_left(void)
{
    CU_ASSERT(kt_batch_job_parse_left("0:59") == 59);
    CU_ASSERT(kt_batch_job_parse_left("12:34\n") == 12 * 60 + 34);
    CU_ASSERT(kt_batch_job_parse_left("1:02:03\n") == 3723);
    CU_ASSERT(kt_batch_job_parse_left("2-00:00:01") == 2 * 86400 + 1);
    static const char *const others[] = {"",   "\n", "UNLIMITED\n", "NOT_SET", "INVALID", "59",   "1:2:3:4",
                                         "1:", ":1", "-1:00",       "1-",      "1:00x",   "x1:00"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CU_ASSERT(kt_batch_job_parse_left(others[i]) == HUGE_VAL);
}

/* A squeue that gives this answer comes first in PATH. */
static void answer(const char *text)
{
    FILE *file = fopen("squeue", "w");
    CU_ASSERT_FATAL(file != NULL);
    fprintf(file, "#!/bin/sh\n%s\n", text);
    fclose(file);
    chmod("squeue", 0755);
}

static void jobs(void)
{
    char path[4096];
    snprintf(path, sizeof path, ".:%.4000s", getenv("PATH"));
    setenv("PATH", path, 1);
    unsetenv("SLURM_JOB_END_TIME");
    unsetenv("SLURM_JOB_ID");
    answer("echo 5:00");
    CU_ASSERT(!kt_batch_job_is_one() && kt_batch_job_seconds_left() == HUGE_VAL);
    setenv("SLURM_JOB_ID", "$(id)", 1);
    CU_ASSERT(!kt_batch_job_is_one() && kt_batch_job_seconds_left() == HUGE_VAL);
    setenv("SLURM_JOB_ID", "17", 1);
    CU_ASSERT(kt_batch_job_is_one() && kt_batch_job_seconds_left() == 300);
    answer("[ \"$3\" = 17 ] && echo 7:00");
    CU_ASSERT(kt_batch_job_seconds_left() == 420);
    answer("echo slurm_load_jobs error >&2; exit 1");
    CU_ASSERT(kt_batch_job_seconds_left() == HUGE_VAL);
    snprintf(path, sizeof path, "%lld", (long long)time(NULL) + 1000);
    setenv("SLURM_JOB_END_TIME", path, 1);
    CU_ASSERT(fabs(kt_batch_job_seconds_left() - 1000) <= 900);
    setenv("SLURM_JOB_END_TIME", "tomorrow", 1);
    CU_ASSERT(kt_batch_job_seconds_left() == HUGE_VAL);
}

const kt_test kt_tests[] = {
    {"squeue's times are read, and what is none is no limit", times_left},
    {"a job's end is what squeue says, else what its environment does", jobs},
    {NULL, NULL},
};
