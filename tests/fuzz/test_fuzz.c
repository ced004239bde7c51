/* The readers of fuzzer.c without libFuzzer: good files, files that were found to do harm, and mutants of the good
 * ones, always the same. KT_FUZZ_RUNS: so many of each target, and a tenth where each takes long. A reader that crashes
 * leaves its input in the scratch folder. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "fuzz/mutate.h"
#include "fuzz/targets.h"
#include "saving/checkpoint_file.h"
#include "saving/run_view.h"
#include "saving/snapshot.h"
#include "sweep/journal_lines.h"

const char *const kt_test_suite = "fuzz";

enum { RUNS = 500, SLOWER = 10, MOST_MEMORY_MB = 512, MOST_FILES = 64, ENVELOPE_BYTES = 512 };

static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__)
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CU_ASSERT(file != NULL && fscanf(file, "%lu", &pages) == 1);
    if (file != NULL)
        fclose(file);
    const rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)MOST_MEMORY_MB << 20);
    CU_ASSERT(setrlimit(RLIMIT_AS, &(struct rlimit){most, most}) == 0);
#endif
}

/* ---- good files ---- */

/* FOLDER/seeds/TARGET/NAME. */
static const char *seed_path(const char *target, const char *name)
{
    static char path[KT_PATH_BYTES];
    kt_file_path(path, "%s/%s", kt_test_scratch("seeds"), target);
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(path));
    kt_file_path(path, "%s/%s/%s", kt_test_scratch("seeds"), target, name);
    return path;
}

static void copy_from(const char *from, size_t at, const char *target, const char *name)
{
    unsigned char *bytes;
    size_t n;
    KT_CHECK_STATUS(KT_OK, kt_file_read(from, &bytes, &n));
    KT_CHECK_STATUS(KT_OK, kt_file_replace(seed_path(target, name), bytes + at, n - at));
    kt_memory_free(bytes);
}

static void save_checkpoints(const fixture *f)
{
    static const struct {
        const char *name;
        kt_status (*write)(const char *path, const kt_run_view *view);
    } rows[] = {{"run.h5", kt_checkpoint_write}, {"model.h5", kt_checkpoint_write_best}};
    for (size_t i = 0; i < 2; i++) {
        char path[KT_PATH_BYTES];
        kt_file_path(path, "%s", seed_path("checkpoint", rows[i].name));
        KT_CHECK_STATUS(KT_OK, rows[i].write(path, &f->view));
        copy_from(path, ENVELOPE_BYTES, "checkpoint_content", rows[i].name);
    }
}

/* As targets.c wants it: the best epoch's weights, and the snapshot behind them. */
static void join_snapshot(const kt_snapshots *s)
{
    unsigned char *parts[2];
    size_t n[2];
    kt_replacement file;
    KT_CHECK_STATUS(KT_OK, kt_replacement_begin(&file, seed_path("snapshot", "one")));
    for (int i = 0; i < 2; i++) {
        char path[KT_PATH_BYTES];
        kt_file_path(path, "%s/%s", kt_snapshots_path(s), i == 0 ? "best-0" : "0");
        KT_CHECK_STATUS(KT_OK, kt_file_read(path, &parts[i], &n[i]));
        KT_CHECK_STATUS(KT_OK, kt_replacement_append(&file, parts[i], n[i]));
        kt_memory_free(parts[i]);
    }
    KT_CHECK_STATUS(KT_OK, kt_replacement_end(&file, KT_OK));
}

static void save_snapshot(fixture *f)
{
    const kt_snapshot_shape shape = {1, f->n, f->n_state};
    const char *folder = kt_test_scratch("memory");
    kt_snapshots *s;
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(folder));
    KT_CHECK_STATUS(KT_OK,
                    kt_snapshots_create(&s, &(kt_snapshot_owner){folder, folder, KT_FUZZ_RUN, KT_FUZZ_JOB}, &shape));
    const kt_model_vectors best = kt_snapshots_best(s, 0);
    memcpy(best.parameters, f->view.best.parameters, f->n * sizeof(float));
    kt_snapshots_seal_best(s, 0, f->state.stopping.best_epoch);
    kt_snapshots_put(s, 0, f->network, (kt_seat){0, 1}, f->state.progress.step);
    KT_CHECK_STATUS(KT_OK, kt_snapshots_seal(s, 0, 1, &f->state, &f->history, 0));
    join_snapshot(s);
    kt_snapshots_close(s, true);
}

static void save_journals(void)
{
    char bytes[MOST_BYTES], without[MOST_BYTES];
    size_t start[4], n = 0;
    enum { CRC_BYTES = 21 }; /* with the brace and the newline */
    three_lines(seed_path("journal", "three.jsonl"), bytes, start);
    for (size_t i = 0; i < 3; i++) {
        const size_t n_line = start[i + 1] - start[i] - CRC_BYTES;
        memcpy(without + n, bytes + start[i], n_line);
        without[n + n_line] = '\n';
        n += n_line + 1;
    }
    KT_CHECK_STATUS(KT_OK, kt_file_replace(seed_path("journal_content", "three.txt"), without, n - 1));
}

/* Every key at its default, and as libFuzzer's dictionary all their names. */
static void save_keys(void)
{
    const kt_option_table *table = kt_config_options();
    kt_config config;
    kt_text_buffer words = {0};
    char *text, path[KT_PATH_BYTES];
    KT_CHECK_STATUS(KT_OK, kt_config_parse("job.ini", kt_fuzz_job, strlen(kt_fuzz_job), 0, NULL, &config));
    KT_CHECK_STATUS(KT_OK, kt_options_write_ini(table, &config, &text));
    KT_CHECK_STATUS(KT_OK, kt_file_replace(seed_path("ini", "all.ini"), text, strlen(text)));
    kt_memory_free(text);
    for (size_t i = 0; i < table->n; i++) {
        const char *section = table->options[i].section;
        if (i == 0 || strcmp(section, table->options[i - 1].section) != 0)
            kt_text_append(&words, "\"[%s]\\x0a\"\n", section);
        kt_text_append(&words, "\"%s\"\n\"%s.%s = \"\n", table->options[i].key, section, table->options[i].key);
    }
    kt_text_append(&words, "\"[sweep]\\x0a\"\n\"point.\"\n\" | \"\n\"auto\"\n\"true\"\n\"[64, 32]\"\n\"\\x0a \"\n");
    kt_file_path(path, "%s/ini.dict", kt_test_scratch("seeds"));
    KT_CHECK_STATUS(KT_OK, kt_file_replace_text(path, &words));
    copy_from(path, 0, "..", "seeds/sweep.dict");
}

/* What find_files has found: paths of regular files, in the order of their names. */
static struct {
    size_t n;
    char paths[MOST_FILES][KT_PATH_BYTES];
} files;

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void find_files(const char *folder)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    files.n = 0;
    while (directory != NULL && (entry = readdir(directory)) != NULL && files.n < MOST_FILES) {
        kt_file_path(files.paths[files.n], "%s/%s", folder, entry->d_name);
        files.n += kt_file_is_regular(files.paths[files.n]);
    }
    if (directory != NULL)
        closedir(directory);
    qsort(files.paths, files.n, sizeof files.paths[0], by_name);
}

static kt_status read_file(const kt_fuzz_target *target, const char *path)
{
    unsigned char *bytes;
    size_t n;
    KT_CHECK_STATUS(KT_OK, kt_file_read(path, &bytes, &n));
    const kt_status status = kt_fuzz_read(target, kt_test_scratch("input"), bytes, n);
    kt_memory_free(bytes);
    return status;
}

static void every_target_has_good_files(void)
{
    fixture f;
    char arguments[2 * KT_PATH_BYTES];
    snprintf(arguments, sizeof arguments, "tests/fuzz/make_seeds.py '%s' '%s'", kt_test_scratch("seeds"),
             kt_test_source("."));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(kt_test_scratch("seeds")));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(kt_test_scratch("input")));
    CU_ASSERT(kt_test_python(arguments) == 0);
    set_up(&f);
    fill(&f);
    save_checkpoints(&f);
    save_snapshot(&f);
    tear_down(&f);
    save_journals();
    save_keys();
    for (size_t i = 0; i < kt_n_fuzz_targets; i++) {
        size_t n_good = 0;
        find_files(seed_path(kt_fuzz_targets[i].name, ""));
        for (size_t k = 0; k < files.n; k++)
            n_good += read_file(&kt_fuzz_targets[i], files.paths[k]) == KT_OK;
        if (n_good == 0)
            fprintf(stderr, "\n    %s: no file of %zu is good: %s\n", kt_fuzz_targets[i].name, files.n,
                    kt_error_message());
        CU_ASSERT(n_good > 0);
    }
}

/* ---- bad files ---- */

/* found/TARGET-WHAT. */
static void what_was_found_does_no_harm(void)
{
    size_t n = 0;
    find_files(kt_test_source("tests/fuzz/found"));
    for (size_t k = 0; k < files.n; k++) {
        char name[64];
        const kt_fuzz_target *target;
        const char *file = strrchr(files.paths[k], '/') + 1;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "-"), file);
        target = kt_fuzz_find(name);
        CU_ASSERT(target != NULL);
        if (target != NULL)
            (void)read_file(target, files.paths[k]);
        n++;
    }
    CU_ASSERT(n > 0);
}

static size_t runs(void)
{
    const char *text = getenv("KT_FUZZ_RUNS");
    return text != NULL ? (size_t)strtoul(text, NULL, 10) : RUNS;
}

static size_t read_mutants(const kt_fuzz_target *target, size_t n_runs)
{
    unsigned char *bytes[MOST_FILES];
    size_t n[MOST_FILES], n_good = 0;
    uint64_t random = 1;
    find_files(seed_path(target->name, ""));
    for (size_t k = 0; k < files.n; k++)
        KT_CHECK_STATUS(KT_OK, kt_file_read(files.paths[k], &bytes[k], &n[k]));
    for (size_t i = 0; i < n_runs && files.n > 0; i++) {
        mutant m = mutate(&random, bytes[i % files.n], n[i % files.n]);
        n_good += kt_fuzz_read(target, kt_test_scratch("input"), m.bytes, m.n) == KT_OK;
        kt_memory_free(m.bytes);
    }
    for (size_t k = 0; k < files.n; k++)
        kt_memory_free(bytes[k]);
    return n_good;
}

static void no_mutant_does_harm(void)
{
    limit_memory();
    for (size_t i = 0; i < kt_n_fuzz_targets; i++) {
        const size_t n_runs = runs() / (kt_fuzz_targets[i].forks ? SLOWER : 1);
        printf("\n    %-20s %zu mutants, %zu of them good", kt_fuzz_targets[i].name, n_runs,
               read_mutants(&kt_fuzz_targets[i], n_runs));
    }
    fflush(stdout);
}

const kt_test kt_tests[] = {
    {"every target has good files, which are read", every_target_has_good_files},
    {"files that once did harm do none", what_was_found_does_no_harm},
    {"no mutant of a good file does harm", no_mutant_does_harm},
    {NULL, NULL},
};
