/* A journal on disk and what is read back of it, for the tests of journal.h. */
#ifndef KTRAIN_TESTS_JOURNAL_LINES_H
#define KTRAIN_TESTS_JOURNAL_LINES_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "run/report.h"
#include "sweep/journal.h"
#include "test.h"

enum { MOST = 8 };

/* What read_back has found; of lines after the first MOST only their number. */
static struct {
    size_t n, n_damaged, first_damaged, n_wanted;
    kt_outcome outcomes[MOST];
    kt_config configs[MOST];
} found;

static inline kt_status keep(void *context, const kt_config *config, const kt_outcome *outcome)
{
    CU_ASSERT(context == &found);
    if (found.n < MOST) {
        found.configs[found.n] = *config;
        found.outcomes[found.n] = *outcome;
    }
    return ++found.n == found.n_wanted ? KT_PREEMPTED : KT_OK;
}

static inline kt_status read_back(const char *path)
{
    memset(&found, 0, sizeof found);
    return kt_journal_read(path, keep, &found, &found.n_damaged, &found.first_damaged);
}

static inline bool holds(const char *path, size_t n, size_t n_damaged, size_t first_damaged)
{
    if (read_back(path) == KT_OK && found.n == n && found.n_damaged == n_damaged &&
        found.first_damaged == first_damaged)
        return true;
    fprintf(stderr, "\n    %zu lines, %zu damaged from %zu; expected %zu, %zu, %zu\n", found.n, found.n_damaged,
            found.first_damaged, n, n_damaged, first_damaged);
    return false;
}

static inline const kt_config *config_of(size_t n, const char *const overrides[])
{
    static kt_config config;
    KT_CHECK_STATUS(KT_OK, kt_options_defaults(kt_config_options(), &config));
    for (size_t i = 0; i < n; i++)
        KT_CHECK_STATUS(KT_OK, kt_options_override(kt_config_options(), &config, overrides[i]));
    return &config;
}

static inline const kt_config *small_config(void)
{
    return config_of(1, (const char *const[]){"model.hidden=[64, 32]"});
}

static inline kt_outcome outcome_of(uint64_t key)
{
    kt_outcome outcome = {
        .key = key, .reason = KT_STOP_PATIENCE, .epochs = 12, .best_epoch = 2, .ranks = 3, .seconds = 1.5};
    for (int p = 0; p < KT_N_PARTS; p++) {
        outcome.scores[p].cross_entropy = 1.25 + p;
        outcome.scores[p].accuracy = 1.0 / 3;
    }
    return outcome;
}

/* A new journal with these outcomes. */
static inline void write_journal(const char *path, const kt_config *config, size_t n, const kt_outcome *outcomes)
{
    kt_journal *journal;
    unlink(path);
    KT_CHECK_STATUS(KT_OK, kt_journal_open(path, &journal));
    for (size_t i = 0; i < n && journal != NULL; i++)
        KT_CHECK_STATUS(KT_OK, kt_journal_append(journal, config, &outcomes[i]));
    kt_journal_close(journal);
}

static inline void append_one(const char *path, uint64_t key)
{
    kt_outcome outcome = outcome_of(key);
    kt_journal *journal;
    KT_CHECK_STATUS(KT_OK, kt_journal_open(path, &journal));
    if (journal != NULL)
        KT_CHECK_STATUS(KT_OK, kt_journal_append(journal, small_config(), &outcome));
    kt_journal_close(journal);
}

static inline void put(const char *path, const char *mode, const void *bytes, size_t n)
{
    if (mode[0] == 'w')
        unlink(path); /* a file system may hurry to put on disk what replaces a file's content */
    FILE *file = fopen(path, mode);
    CU_ASSERT(file != NULL && fwrite(bytes, 1, n, file) == n);
    if (file != NULL)
        fclose(file);
}

enum { MOST_BYTES = 8192 };

/* The journal's bytes, and a NUL; their number. */
static inline size_t bytes_of(const char *path, char bytes[MOST_BYTES])
{
    FILE *file = fopen(path, "r");
    size_t n = file == NULL ? 0 : fread(bytes, 1, MOST_BYTES - 1, file);
    bytes[n] = '\0';
    if (file != NULL)
        fclose(file);
    return n;
}

/* A journal of three lines, keys 1 to 3; line i is [start[i], start[i + 1]). */
static inline void three_lines(const char *path, char bytes[MOST_BYTES], size_t start[4])
{
    write_journal(path, small_config(), 3, (kt_outcome[]){outcome_of(1), outcome_of(2), outcome_of(3)});
    size_t n = bytes_of(path, bytes);
    start[0] = 0;
    for (size_t i = 0; i < 3; i++)
        start[i + 1] = start[i] + strcspn(bytes + start[i], "\n") + 1;
    CU_ASSERT(start[3] == n);
}

#endif
