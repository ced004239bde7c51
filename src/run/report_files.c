/* The machine-readable side of report.h: summary.json and confusion.csv. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "run/json.h"
#include "run/report.h"

static json_t *scores_json(const kt_scores *s)
{
    json_t *scores = kt_json_with(json_object(), "samples", json_integer(s->samples));
    scores = kt_json_with(scores, "accuracy", kt_json_number(s->accuracy));
    scores = kt_json_with(scores, "cross_entropy", kt_json_number(s->cross_entropy));
    scores = kt_json_with(scores, "balanced_accuracy", kt_json_number(s->balanced_accuracy));
    return kt_json_with(scores, "macro_f1", kt_json_number(s->macro_f1));
}

static json_t *parts_json(const kt_scores scores[KT_N_PARTS])
{
    json_t *parts = json_object();
    for (int p = 0; p < KT_N_PARTS; p++)
        parts = kt_json_with(parts, kt_part_names[p], scores_json(&scores[p]));
    return parts;
}

static json_t *class_json(const kt_metrics *m, size_t c, const char *name)
{
    double precision, recall, f1;
    int64_t samples = 0;
    kt_metrics_class(m, c, &precision, &recall, &f1);
    for (size_t k = 0; k < m->n_classes; k++)
        samples += m->confusion[c * m->n_classes + k];
    json_t *one = kt_json_with(json_object(), "class", json_integer((json_int_t)c));
    one = kt_json_with(one, "samples", json_integer(samples));
    one = kt_json_with(one, "precision", kt_json_number(precision));
    one = kt_json_with(one, "recall", kt_json_number(recall));
    one = kt_json_with(one, "f1", kt_json_number(f1));
    return name != NULL ? kt_json_with(one, "name", kt_json_text(name)) : one;
}

static json_t *classes_json(const kt_metrics *m, char *const *class_names)
{
    json_t *classes = json_array();
    for (size_t c = 0; c < m->n_classes; c++)
        classes = kt_json_append(classes, class_json(m, c, class_names != NULL ? class_names[c] : NULL));
    return classes;
}

static json_t *provenance_json(const kt_provenance *provenance)
{
    json_t *texts = json_object();
    for (size_t i = 0; i < kt_n_provenance_rows; i++) {
        const char *text = kt_provenance_text(provenance, &kt_provenance_rows[i]);
        texts = kt_json_with(texts, kt_provenance_rows[i].name, kt_json_text(text));
    }
    return texts;
}

static json_t *arrangement_json(const kt_arrangement *a, double seconds)
{
    char text[80];
    kt_arrangement_describe(a, text, sizeof text);
    json_t *out = kt_json_with(json_object(), "arrangement", json_string(text));
    out = kt_json_with(out, "ranks", json_integer((json_int_t)a->n_ranks));
    /* else no step of it was timed yet */
    return seconds > 0 ? kt_json_with(out, "step_seconds", kt_json_number(seconds)) : out;
}

/* How the ranks work at the end, and how others that were tried did. */
static json_t *arrangements_json(const kt_arrangement_times *times)
{
    json_t *tried = json_array();
    for (size_t i = 0; i < times->n; i++)
        if (times->seconds[i] > 0 && isfinite(times->seconds[i]))
            tried = kt_json_append(tried, arrangement_json(&times->each[i], times->seconds[i]));
    json_t *now = arrangement_json(&times->each[times->current], times->seconds[times->current]);
    return kt_json_with(kt_json_with(json_object(), "now", now), "tried", tried);
}

static json_t *summary_json(const kt_config *config, const kt_provenance *provenance, const kt_results *r,
                            char *const *class_names)
{
    json_t *root = parts_json(kt_results_left(r));
    root = kt_json_with(root, "weights", json_string(r->leaves_best ? "best" : "last"));
    root = kt_json_with(root, "best", parts_json(r->best));
    root = kt_json_with(root, "last", parts_json(r->last));
    root = kt_json_with(root, "epochs", json_integer(r->epochs));
    root = kt_json_with(root, "steps", json_integer(r->steps));
    root = kt_json_with(root, "best_epoch", json_integer(r->best_epoch));
    root = kt_json_with(root, "stop_reason", json_string(kt_stop_reason_name(r->reason)));
    root = kt_json_with(root, "seconds", kt_json_number(r->seconds));
    root = kt_json_with(root, "ranks", json_integer(r->ranks));
    root = kt_json_with(root, "attempts", json_integer(r->attempts.n));
    root = kt_json_with(root, "lost_steps", json_integer(r->attempts.lost_steps));
    if (r->attempts.wall_seconds > 0) /* useful seconds of each second of all starts */
        root = kt_json_with(root, "effective_time", kt_json_number(r->seconds / r->attempts.wall_seconds));
    if (r->arrangements.n > 0)
        root = kt_json_with(root, "arrangement", arrangements_json(&r->arrangements));
    root = kt_json_with(root, "parameters", json_integer((json_int_t)r->n_parameters));
    root = kt_json_with(root, "memory_bytes", json_integer((json_int_t)r->memory_bytes));
    root = kt_json_with(root, "seed", json_integer(config->run.seed));
    root = kt_json_with(root, "split_seed", json_integer(config->split.seed));
    root = kt_json_with(root, "provenance", provenance_json(provenance));
    root = kt_json_with(root, "classes_part", json_string(kt_part_names[r->detail_part]));
    root = kt_json_with(root, "classes", classes_json(&r->detail, class_names));
    return root;
}

/* Takes root over. */
static kt_status write_summary(const char *path, json_t *root)
{
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(10));
    json_decref(root);
    kt_status status = text == NULL ? kt_fail(KT_NO_MEMORY, "%s: no memory to write it", path)
                                    : kt_file_replace(path, text, strlen(text));
    free(text);
    return status;
}

/* Row = true class, column = predicted. */
static kt_status write_confusion(const char *path, const kt_metrics *m)
{
    kt_text_buffer buffer = {0};
    kt_text_append(&buffer, "true");
    for (size_t k = 0; k < m->n_classes; k++)
        kt_text_append(&buffer, ",predicted_%zu", k);
    for (size_t c = 0; c < m->n_classes; c++) {
        kt_text_append(&buffer, "\n%zu", c);
        for (size_t k = 0; k < m->n_classes; k++)
            kt_text_append(&buffer, ",%" PRId64, m->confusion[c * m->n_classes + k]);
    }
    kt_text_append(&buffer, "\n");
    return kt_file_replace_text(path, &buffer);
}

kt_status kt_report_write_results(const char *dir, const kt_config *config, const kt_provenance *provenance,
                                  const kt_results *results, char *const *class_names)
{
    char path[KT_PATH_BYTES];
    KT_TRY(kt_file_path(path, "%s/confusion.csv", dir));
    KT_TRY(write_confusion(path, &results->detail));
    KT_TRY(kt_file_path(path, "%s/summary.json", dir));
    return write_summary(path, summary_json(config, provenance, results, class_names));
}
