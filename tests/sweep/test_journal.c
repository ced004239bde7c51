/* The journal: what is written is read again. */
#include <float.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "sweep/journal_lines.h"

const char *const kt_test_suite = "journal";

static bool same_number(double a, double b)
{
    return (!isfinite(a) && isnan(b)) || memcmp(&a, &b, sizeof a) == 0;
}

static bool same(const kt_outcome *a, const kt_outcome *b)
{
    bool equal = a->key == b->key && a->status == b->status && a->reason == b->reason && a->epochs == b->epochs &&
                 a->best_epoch == b->best_epoch && a->ranks == b->ranks && same_number(a->seconds, b->seconds) &&
                 strcmp(a->error, b->error) == 0;
    for (int p = 0; p < KT_N_PARTS; p++)
        equal &= same_number(a->scores[p].cross_entropy, b->scores[p].cross_entropy) &&
                 same_number(a->scores[p].accuracy, b->scores[p].accuracy);
    return equal;
}

static void outcomes_come_back_to_the_last_bit(void)
{
    static const double values[] = {
        0.0, -0.0, DBL_MIN,  DBL_TRUE_MIN, -DBL_MAX,           DBL_MAX,           1.0 / 3, 0.1, 1 + DBL_EPSILON, 1e17,
        3,   NAN,  INFINITY, -INFINITY,    123456789.12345679, 9007199254740993.0};
    static const int codes[] = {KT_OK, KT_DIVERGED, KT_DATA, KT_NO_MEMORY, KT_IO, KT_CONFIG, -1};
    static const int64_t counts[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1 << 30};
    enum { N = sizeof values / sizeof values[0] };
    const char *path = kt_test_scratch("bits");
    kt_outcome outcomes[N];
    for (size_t i = 0; i < N; i++) {
        kt_outcome *o = &outcomes[i];
        *o = outcome_of(UINT64_MAX - i);
        for (size_t p = 0; p < KT_N_PARTS; p++) {
            o->scores[p].cross_entropy = values[(i + p) % N];
            o->scores[p].accuracy = values[(i + p + 3) % N];
        }
        o->seconds = values[(i + 7) % N];
        o->status = codes[i % (sizeof codes / sizeof codes[0])];
        o->reason = (int)(i % KT_N_STOP_REASONS);
        o->epochs = counts[i % 6];
        o->best_epoch = counts[(i + 1) % 6];
        o->ranks = counts[(i + 2) % 6];
    }
    for (size_t first = 0; first < N; first += MOST) {
        size_t n = N - first < MOST ? N - first : MOST;
        write_journal(path, small_config(), n, outcomes + first);
        CU_ASSERT(holds(path, n, 0, 0));
        for (size_t i = 0; i < n; i++)
            CU_ASSERT(same(&outcomes[first + i], &found.outcomes[i]));
    }
}

static void a_line_is_what_the_header_says(void)
{
    char bytes[MOST_BYTES];
    const char *path = kt_test_scratch("golden");
    kt_outcome outcome = outcome_of(0x0123456789abcdef);
    outcome.scores[KT_TEST].accuracy = NAN;
    write_journal(path, small_config(), 1, &outcome);
    bytes_of(path, bytes);
    CU_ASSERT_STRING_EQUAL(
        bytes,
        "{\"key\": \"0123456789abcdef\", \"config\": {\"model.hidden\": \"[64, 32]\"}, \"status\": \"done\", "
        "\"code\": 0, \"stop_reason\": \"patience\", \"validation_cross_entropy\": 2.25, "
        "\"validation_accuracy\": 0.33333333333333331, \"test_cross_entropy\": 3.25, \"test_accuracy\": null, "
        "\"train_cross_entropy\": 1.25, \"train_accuracy\": 0.33333333333333331, \"epochs\": 12, \"best_epoch\": 2, "
        "\"seconds\": 1.5, \"ranks\": 3, "
        "\"crc\": \"50ba03c3\"}\n");
}

static void a_configuration_comes_back_without_its_place(void)
{
    static const char *const overrides[] = {"model.hidden=[64, 32]",
                                            "train.batch_size=full",
                                            "optimizer.learning_rate=0.00070000000000000021",
                                            "data.features=a \\ \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80.h5:x",
                                            "data.split=0.8, 0.1, 0.1",
                                            "run.dir=elsewhere",
                                            "checkpoint.keep=7",
                                            "run.log_steps=4",
                                            "train.epochs=7",
                                            "optimizer.l2=2.2250738585072014e-308",
                                            "model.dropout=0.0"};
    const char *path = kt_test_scratch("config");
    kt_outcome outcome = outcome_of(1);
    kt_config config = *config_of(sizeof overrides / sizeof overrides[0], overrides);
    double *weights;
    KT_CHECK_STATUS(KT_OK, KT_NEW(weights, KT_MAX_REALS));
    config.loss.class_weights = (kt_real_list){.word = -1, .n = KT_MAX_REALS, .values = weights};
    for (size_t i = 0; i < KT_MAX_REALS; i++)
        weights[i] = 1.2345678901234567e-100 * (double)(i + 1) / 3;
    write_journal(path, &config, 1, &outcome);
    CU_ASSERT(holds(path, 1, 0, 0));
    const kt_config *back = &found.configs[0];
    CU_ASSERT(kt_config_key(&config) == kt_config_key(back));
    CU_ASSERT(back->loss.class_weights.n == KT_MAX_REALS && back->loss.class_weights.word == -1);
    CU_ASSERT(memcmp(weights, back->loss.class_weights.values, KT_MAX_REALS * sizeof *weights) == 0);
    kt_memory_free(weights);
    CU_ASSERT(config.schedule.initial == back->schedule.initial && config.optimizer.l2 == back->optimizer.l2);
    CU_ASSERT_STRING_EQUAL(config.data.features, back->data.features);
    CU_ASSERT(back->train.batch_size == KT_BATCH_FULL && back->train.epochs == 7 && back->model.hidden.n == 2);
    CU_ASSERT_STRING_EQUAL(back->run.dir, "runs/default");
    CU_ASSERT(back->checkpoint.keep == 2 && back->run.log_steps == 0);
    config = *config_of(2, (const char *const[]){"model.hidden=[]", "data.features=\xff.npy"});
    write_journal(path, &config, 1, &outcome);
    CU_ASSERT(holds(path, 1, 0, 0) && found.configs[0].model.hidden.n == 0);
    CU_ASSERT_STRING_EQUAL(found.configs[0].data.features, "?.npy");
}

static void any_error_stands_on_one_line(void)
{
    static const char *const texts[][2] = {
        {"a \"quoted\" \\ text\nof two lines\r\n\t\x01\x1b\x7f", NULL},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xe2\x80\xa8", NULL},
        {"cut \xe2\x82", "cut ??"},
        {"\x80 \xff\xc3 \xc3\xa9 \xc0\xaf", "? ?? \xc3\xa9 ??"},
        {"\xed\xa0\x80|\xf4\x90\x80\x80|\xf0\x9f\x98", "???|????|???"},
        {", \"crc\": \"00000000\"}", NULL},
    };
    const char *path = kt_test_scratch("error");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char bytes[MOST_BYTES];
        kt_outcome outcome = outcome_of(1);
        outcome.status = KT_DATA;
        strcpy(outcome.error, texts[i][0]);
        write_journal(path, small_config(), 1, &outcome);
        CU_ASSERT(holds(path, 1, 0, 0));
        CU_ASSERT_STRING_EQUAL(found.outcomes[0].error, texts[i][1] != NULL ? texts[i][1] : texts[i][0]);
        size_t n = bytes_of(path, bytes);
        CU_ASSERT(strchr(bytes, '\n') == bytes + n - 1);
    }
    kt_outcome longest = outcome_of(1);
    memset(longest.error, 1, sizeof longest.error - 1);
    write_journal(path, small_config(), 1, &longest);
    CU_ASSERT(holds(path, 1, 0, 0) && same(&longest, &found.outcomes[0]));
}

static void limit_file_size(size_t n, struct rlimit *before)
{
    getrlimit(RLIMIT_FSIZE, before);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = n, .rlim_max = before->rlim_max});
}

/* A file size limit stands for the full disk: the write stops in the middle. */
static void a_full_disk_keeps_what_is_on_record(void)
{
    struct rlimit before;
    char bytes[MOST_BYTES], now[MOST_BYTES];
    size_t start[4];
    const char *path = kt_test_scratch("full");
    kt_outcome outcome = outcome_of(4);
    kt_journal *journal;
    three_lines(path, bytes, start);
    signal(SIGXFSZ, SIG_IGN);
    KT_CHECK_STATUS(KT_OK, kt_journal_open(path, &journal));
    for (size_t more = 0; more < 400; more += 57) {
        limit_file_size(start[3] + more, &before);
        kt_status status = kt_journal_append(journal, small_config(), &outcome);
        setrlimit(RLIMIT_FSIZE, &before);
        CU_ASSERT(status == KT_IO);
        KT_CHECK_MESSAGE("full: cannot be written: File too large");
        CU_ASSERT(bytes_of(path, now) == start[3] && strcmp(now, bytes) == 0);
    }
    KT_CHECK_STATUS(KT_OK, kt_journal_append(journal, small_config(), &outcome));
    CU_ASSERT(holds(path, 4, 0, 0));
    put(path, "a", "{\"ke", 4); /* as if the line could not be taken back */
    KT_CHECK_STATUS(KT_OK, kt_journal_append(journal, small_config(), &outcome));
    CU_ASSERT(holds(path, 5, 1, 5));
    kt_journal_close(journal);
    put(path, "w", bytes, start[3] - 1);
    limit_file_size(start[3] - 1, &before);
    kt_status status = kt_journal_open(path, &journal);
    setrlimit(RLIMIT_FSIZE, &before);
    CU_ASSERT(status == KT_IO && journal == NULL);
    CU_ASSERT(holds(path, 3, 0, 0));
}

static void what_cannot_be_used_is_refused(void)
{
    const char *device = kt_test_scratch("device"), *directory = kt_test_scratch("locked");
    char inside[KT_PATH_BYTES], below[KT_PATH_BYTES];
    kt_outcome outcome = outcome_of(1);
    kt_journal *journal;
    CU_ASSERT(symlink("/dev/full", device) == 0);
    KT_CHECK_STATUS(KT_OK, kt_journal_open(device, &journal));
    KT_CHECK_STATUS(KT_IO, kt_journal_append(journal, small_config(), &outcome));
    KT_CHECK_MESSAGE("device: cannot be written: No space left on device");
    kt_journal_close(journal);
    KT_CHECK_STATUS(KT_OK, kt_journal_open("/dev/null", &journal));
    KT_CHECK_STATUS(KT_IO, kt_journal_append(journal, small_config(), &outcome)); /* takes it, but cannot keep it */
    kt_journal_close(journal);
    KT_CHECK_STATUS(KT_OK, kt_file_path(inside, "%s/journal", directory));
    KT_CHECK_STATUS(KT_OK, kt_file_path(below, "%s/journal", kt_test_scratch("file")));
    put(kt_test_scratch("file"), "w", "x", 1);
    KT_CHECK_STATUS(KT_IO, kt_journal_open(inside, &journal));
    KT_CHECK_STATUS(KT_IO, kt_journal_open(below, &journal));
    CU_ASSERT(read_back(below) == KT_IO);
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(directory));
    KT_CHECK_STATUS(KT_IO, kt_journal_open(directory, &journal));
    CU_ASSERT(journal == NULL && read_back(directory) == KT_IO);
    KT_CHECK_MESSAGE("locked: reading stopped: Is a directory");
    CU_ASSERT(chmod(directory, 0500) == 0);
    bool root = geteuid() == 0; /* who may write everywhere */
    CU_ASSERT(!root || seteuid(65534) == 0);
    KT_CHECK_STATUS(KT_IO, kt_journal_open(inside, &journal));
    KT_CHECK_MESSAGE("cannot be written: Permission denied");
    CU_ASSERT(!root || seteuid(0) == 0);
    kt_journal_close(NULL);
}

static void lines_come_in_order_until_the_reader_has_enough(void)
{
    const char *path = kt_test_scratch("order");
    kt_outcome outcomes[] = {outcome_of(5), outcome_of(9), outcome_of(5)};
    outcomes[2].epochs = 99;
    write_journal(path, small_config(), 3, outcomes);
    append_one(path, 1);
    CU_ASSERT(holds(path, 4, 0, 0) && found.outcomes[3].key == 1);
    for (size_t i = 0; i < 3; i++)
        CU_ASSERT(same(&outcomes[i], &found.outcomes[i]));
    memset(&found, 0, sizeof found);
    found.n_wanted = 2;
    CU_ASSERT(kt_journal_read(path, keep, &found, &found.n_damaged, &found.first_damaged) == KT_PREEMPTED);
    CU_ASSERT(found.n == 2);
}

static void a_trial_is_known_by_what_it_computes(void)
{
    uint64_t key = kt_trial_key(small_config(), 1);
    CU_ASSERT(key != 0 && key == kt_trial_key(small_config(), 1) && key != kt_trial_key(small_config(), 2));
    CU_ASSERT(key != kt_trial_key(config_of(0, NULL), 1));
    CU_ASSERT(key == kt_trial_key(config_of(2, (const char *const[]){"model.hidden=[64,32]", "run.dir=x"}), 1));
}

const kt_test kt_tests[] = {
    {"outcomes come back to the last bit", outcomes_come_back_to_the_last_bit},
    {"a line is what the header says", a_line_is_what_the_header_says},
    {"a configuration comes back, but for where a run writes", a_configuration_comes_back_without_its_place},
    {"any error stands on one line", any_error_stands_on_one_line},
    {"a full disk keeps what is on record, and can be written again later", a_full_disk_keeps_what_is_on_record},
    {"what cannot be used is refused", what_cannot_be_used_is_refused},
    {"lines come in order until the reader has enough", lines_come_in_order_until_the_reader_has_enough},
    {"a trial is known by what it computes", a_trial_is_known_by_what_it_computes},
    {NULL, NULL},
};
