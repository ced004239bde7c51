/* SLURM's variables and squeue. */
#include "process/batch_job.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The job's number, NULL when there is none: digits, since it becomes part of a command. */
static const char *job_number(void)
{
    const char *id = getenv("SLURM_JOB_ID");
    return id != NULL && *id != '\0' && strspn(id, "0123456789") == strlen(id) ? id : NULL;
}

bool kt_batch_job_is_one(void)
{
    return job_number() != NULL;
}

double kt_batch_job_parse_left(const char *text)
{
    long days = 0, parts[3];
    const char *dash = strchr(text, '-');
    char *end;
    size_t n = 0;
    if (dash != NULL) {
        days = strtol(text, &end, 10);
        if (end != dash || days < 0)
            return HUGE_VAL;
        text = dash + 1;
    }
    do {
        if (n == 3 || *text < '0' || *text > '9')
            return HUGE_VAL;
        parts[n++] = strtol(text, &end, 10);
        text = end + (*end == ':');
    } while (*end == ':');
    if (n < 2 || (*end != '\0' && *end != '\n'))
        return HUGE_VAL;
    double seconds = 0;
    for (size_t i = 0; i < n; i++)
        seconds = 60 * seconds + (double)parts[i];
    return 86400.0 * (double)days + seconds;
}

static double ask_squeue(const char *id)
{
    char command[128], line[64] = "";
    snprintf(command, sizeof command, "timeout -k 1 5 squeue -h -j %.40s -o %%L 2>/dev/null", id);
    FILE *answer = popen(command, "r");
    if (answer == NULL)
        return HUGE_VAL;
    if (fgets(line, sizeof line, answer) == NULL)
        line[0] = '\0';
    pclose(answer);
    return kt_batch_job_parse_left(line);
}

double kt_batch_job_seconds_left(void)
{
    const char *id = job_number(), *end = getenv("SLURM_JOB_END_TIME");
    if (id == NULL)
        return HUGE_VAL;
    const double left = ask_squeue(id); /* first: it also knows when the limit was changed */
    if (isfinite(left) || end == NULL)
        return left;
    char *behind;
    const double at = strtod(end, &behind);
    return *end != '\0' && *behind == '\0' && at > 0 ? fmax(at - (double)time(NULL), 0) : HUGE_VAL;
}
