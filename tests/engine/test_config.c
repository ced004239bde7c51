/* Configurations: what is read, refused and written. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "engine/config.h"
#include "test.h"

const char *const kt_test_suite = "config";

static const char minimal[] = "[data]\nfeatures = x.npy\nlabels = y.npy\n";

static kt_status parse(kt_config *config, const char *extra)
{
    char text[2000];
    snprintf(text, sizeof text, "%s%s", minimal, extra);
    return kt_config_parse("x.ini", text, strlen(text), 0, NULL, config);
}

static void a_minimal_file_takes_all_defaults(void)
{
    kt_config c;
    KT_CHECK_STATUS(KT_OK, parse(&c, ""));
    CU_ASSERT(c.run.seed == 1 && c.train.batch_size == 16 && c.model.hidden.n == 1 && c.model.hidden.values[0] == 128);
    CU_ASSERT_STRING_EQUAL(kt_optimizers[c.optimizer.kind].name, "adam");
    CU_ASSERT(c.split.fractions.n == 3 && kt_config_restores_best(&c));
}

static void what_contradicts_itself_is_refused(void)
{
    static const struct {
        const char *extra, *words;
    } bad[] = {
        {"split = 0.5, 0.5\n", "data.split"},
        {"split = 0.5, 0.4, 0.3\n", "sum 1.2"},
        {"split = 0, 0.5, 0.5\n", "nothing for training"},
        {"split = 0.8, 0, 0.2\n", "nothing for validation"},
        {"test_features = a.npy\n", "data.test_labels is not set"},
        {"validation_labels = a.npy\n", "data.validation_features is not set"},
        {"[optimizer]\nlearning_rate = 0.1\nfinal_learning_rate = 0.2\n", "final_learning_rate"},
        {"[checkpoint]\nresume =\n", "checkpoint.resume"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        kt_config c;
        KT_CHECK_STATUS(KT_CONFIG, parse(&c, bad[i].extra));
        CU_ASSERT(strstr(kt_error_message(), bad[i].words) != NULL);
    }
    kt_config c;
    KT_CHECK_STATUS(KT_CONFIG, kt_config_parse("x.ini", "", 0, 0, NULL, &c));
    KT_CHECK_MESSAGE("data.features is not set");
}

static void every_key_survives_writing_and_reading(void)
{
    kt_config c, again;
    char *text, *text_again;
    KT_CHECK_STATUS(KT_OK,
                    parse(&c, "scale = 255\n[model]\nhidden = [5000, 5000]\n[optimizer]\nlearning_rate = 0.0007\n"
                              "[train]\nbatch_size = full\nclass_weights = balanced\n"));
    KT_CHECK_STATUS(KT_OK, kt_options_write_ini(kt_config_options(), &c, &text));
    KT_CHECK_STATUS(KT_OK, kt_config_parse("again.ini", text, strlen(text), 0, NULL, &again));
    KT_CHECK_STATUS(KT_OK, kt_options_write_ini(kt_config_options(), &again, &text_again));
    CU_ASSERT_STRING_EQUAL(text, text_again);
    CU_ASSERT_PTR_NULL(kt_config_difference(&c, &again));
    kt_memory_free(text);
    kt_memory_free(text_again);
}

static void only_what_defines_a_run_makes_a_difference(void)
{
    kt_config a, b;
    KT_CHECK_STATUS(KT_OK, parse(&a, ""));
    KT_CHECK_STATUS(
        KT_OK,
        parse(&b, "[train]\nepochs = 7\npatience = 3\n[parallel]\nreproducible = false\n[checkpoint]\nkeep = 9\n"));
    CU_ASSERT_PTR_NULL(kt_config_difference(&a, &b));
    KT_CHECK_STATUS(KT_OK, parse(&b, "[optimizer]\nlearning_rate = 0.002\n"));
    const kt_option *other = kt_config_difference(&a, &b);
    CU_ASSERT(other != NULL && strcmp(other->key, "learning_rate") == 0);
}

static void a_key_is_of_what_is_computed(void)
{
    kt_config a, b;
    KT_CHECK_STATUS(KT_OK, parse(&a, ""));
    static const char *const same[] = {
        "[run]\ndir = elsewhere\nlog_steps = 3\n"
        "[checkpoint]\nevery_epochs = 0\nevery_steps = 5\nkeep = 9\nresume = never\n",
        /* the defaults */
        "split = 0.7, .15, 0.150\n[train]\nbatch_size = 16\n[optimizer]\nlearning_rate = 1e-3\nl2 = -0\n",
    };
    for (size_t i = 0; i < 2; i++) {
        KT_CHECK_STATUS(KT_OK, parse(&b, same[i]));
        CU_ASSERT(kt_config_key(&b) == kt_config_key(&a));
    }
    static const char *const other[] = {
        "",
        "scale = 2\n",
        "split_seed = 2\n",
        "class_names = a\n",
        "[run]\nseed = 2\n",
        "[train]\nepochs = 2\n",
        "[model]\nhidden = [12, 8]\n",
        "[model]\nhidden = [128]\ndropout = 0.1\n",
        "[parallel]\nreproducible = false\n",
        "[train]\nbatch_size = full\n",
        "[train]\nclass_weights = balanced\n",
    };
    uint64_t keys[sizeof other / sizeof other[0]];
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        KT_CHECK_STATUS(KT_OK, parse(&b, other[i]));
        keys[i] = kt_config_key(&b);
        for (size_t j = 0; j < i; j++)
            CU_ASSERT(keys[i] != keys[j]);
    }
}

/* As in the journals of sweeps that earlier versions have run. */
static void a_key_stays_what_it_was(void)
{
    static const struct {
        uint64_t key;
        const char *extra;
    } jobs[] = {
        {0xcb67ed768aa85fd3, ""},
        {0xfe16d45a0d1d70e4, "split = 0.5, 0.25, 0.25\n"},
        {0x095d22d7ac4e16ca, "[model]\nhidden = [64, 32]\n"},
        {0xee2bcb59428437c3,
         "header = true\nscale = 0.999\n[run]\nseed = 1\n[train]\nepochs = 77\n[model]\nactivation = elu\n"
         "[optimizer]\nbeta2 = 0.25\nlearning_rate = 0.25\n"
         "[parallel]\nshards = 4\nkernels = avx512\nreproducible = false\nexchange = factors\n"},
        {0x3c4b7e4d535ca518, "split = 0.8, 0.1, 0.1\n[train]\npatience = 2\nclip_norm = 0.001\nmin_delta = 0.001\n"
                             "[optimizer]\nbeta1 = 0.5\nbeta2 = 0.25\nplateau_patience = 2\nwarmup = 3\n"
                             "schedule = exponential\n"},
    };
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        kt_config c;
        KT_CHECK_STATUS(KT_OK, parse(&c, jobs[i].extra));
        CU_ASSERT(kt_config_key(&c) == jobs[i].key);
    }
}

static void a_sweep_is_refused(void)
{
    kt_config c;
    KT_CHECK_STATUS(KT_CONFIG, parse(&c, "[sweep]\nmodel.dropout = 0, 0.1\n"));
    KT_CHECK_MESSAGE("x.ini:4: [sweep] is for ktrain sweep: say ktrain sweep x.ini");
}

static void every_row_is_well_formed(void)
{
    for (size_t i = 0; i < kt_config_options()->n; i++) {
        const kt_option *o = &kt_config_options()->options[i];
        CU_ASSERT(kt_options_find(kt_config_options(), o->section, o->key) == o);
        CU_ASSERT(strlen(o->help) > 5);
        CU_ASSERT(o->type != KT_OPTION_CHOICE || o->choice != NULL);
    }
}

static void every_word_comes_back(void)
{
    for (size_t i = 0; i < kt_config_options()->n; i++) {
        const kt_option *o = &kt_config_options()->options[i];
        kt_text_buffer text = {0};
        kt_config c;
        KT_CHECK_STATUS(KT_OK, parse(&c, ""));
        for (size_t w = 0; o->choice != NULL && o->choice(w) != NULL; w++) {
            KT_CHECK_STATUS(KT_OK, kt_options_set(kt_config_options(), &c, "test", o->section, o->key, o->choice(w)));
            kt_text_clear(&text);
            kt_options_format(o, &c, &text);
            CU_ASSERT_STRING_EQUAL(text.bytes, o->choice(w));
        }
        kt_memory_free(text.bytes);
    }
}

static void every_rank_reads_the_same_file_and_overrides(void)
{
    kt_config c;
    char path[KT_PATH_BYTES];
    char *overrides[] = {"train.epochs=5", "data.scale=2"};
    kt_file_path(path, "%s", kt_test_scratch("c.ini"));
    if (kt_comm_rank(kt_test_world) == 0)
        KT_CHECK_STATUS(KT_OK, kt_file_replace(path, minimal, strlen(minimal)));
    KT_CHECK(kt_config_read(kt_test_world, path, 2, overrides, &c) == KT_OK);
    KT_CHECK(c.train.epochs == 5 && c.data.scale == 2 && strcmp(c.data.features, "x.npy") == 0);
}

static void a_missing_file_is_the_same_failure_on_every_rank(void)
{
    kt_config c;
    KT_CHECK(kt_config_read(kt_test_world, "/nowhere/x.ini", 0, NULL, &c) == KT_NO_INPUT);
    KT_CHECK(strstr(kt_error_message(), "/nowhere/x.ini") != NULL);
}

/* A synonym is a key's, a section's ("[net]") or a word's ("init=xavier"). */
static void synonyms_mean_what_there_is(void)
{
    for (const kt_option_synonym *s = kt_config_synonyms; s->written != NULL; s++) {
        bool good = s->note != NULL;
        for (size_t i = 0; i < kt_config_options()->n; i++) {
            const kt_option *o = &kt_config_options()->options[i];
            const size_t n = strlen(o->key);
            if (s->meant == NULL)
                good |= s->section != NULL && (strcmp(s->section, o->section) == 0 || strcmp(s->section, "sweep") == 0);
            else if (s->section != NULL)
                good |= kt_options_find(kt_config_options(), s->section, s->meant) != NULL;
            for (size_t w = 0; s->section == NULL && o->choice != NULL && o->choice(w) != NULL; w++)
                good |=
                    strncmp(s->written, o->key, n) == 0 && s->written[n] == '=' && strcmp(s->meant, o->choice(w)) == 0;
        }
        if (s->meant != NULL && s->section != NULL)
            good &= kt_options_find(kt_config_options(), s->section, s->meant) != NULL;
        if (!good)
            printf("\n  %s means nothing\n", s->written);
        CU_ASSERT(good);
    }
}

const kt_test kt_tests[] = {
    {"synonyms mean what there is", synonyms_mean_what_there_is},
    {"a minimal file takes all defaults", a_minimal_file_takes_all_defaults},
    {"what contradicts itself is refused", what_contradicts_itself_is_refused},
    {"every key survives writing and reading", every_key_survives_writing_and_reading},
    {"only what defines a run makes a difference", only_what_defines_a_run_makes_a_difference},
    {"a key is of what is computed, where it is not the default", a_key_is_of_what_is_computed},
    {"a key stays what it was in earlier versions", a_key_stays_what_it_was},
    {"a file with a sweep is refused", a_sweep_is_refused},
    {"every row is well formed and its own", every_row_is_well_formed},
    {"every word of a choice comes back", every_word_comes_back},
    {"every rank reads the same file and overrides", every_rank_reads_the_same_file_and_overrides},
    {"a missing file is the same failure on every rank", a_missing_file_is_the_same_failure_on_every_rank},
    {NULL, NULL},
};
