/* The machine-readable side of report.h: summary.json and confusion.csv. */
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "run/report.h"

/* JSON has no NaN: what is not finite is null. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *scores_json(const kt_scores *s)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "samples", (json_int_t)s->samples, "accuracy", number(s->accuracy),
                     "cross_entropy", number(s->cross_entropy), "balanced_accuracy", number(s->balanced_accuracy),
                     "macro_f1", number(s->macro_f1));
}

static json_t *parts_json(const kt_scores scores[KT_N_PARTS])
{
    json_t *parts = json_object();
    for (int p = 0; p < KT_N_PARTS; p++)
        json_object_set_new(parts, kt_part_names[p], scores_json(&scores[p]));
    return parts;
}

static json_t *classes_json(const kt_metrics *m, char *const *class_names)
{
    json_t *classes = json_array();
    for (size_t c = 0; c < m->n_classes; c++) {
        double precision, recall, f1;
        int64_t samples = 0;
        kt_metrics_class(m, c, &precision, &recall, &f1);
        for (size_t k = 0; k < m->n_classes; k++)
            samples += m->confusion[c * m->n_classes + k];
        json_t *one = json_pack("{s:I, s:I, s:o, s:o, s:o}", "class", (json_int_t)c, "samples", (json_int_t)samples,
                                "precision", number(precision), "recall", number(recall), "f1", number(f1));
        json_t *name = class_names != NULL ? json_string(class_names[c]) : NULL;
        if (name != NULL) /* NULL also when it is not UTF-8 */
            json_object_set_new(one, "name", name);
        json_array_append_new(classes, one);
    }
    return classes;
}

static json_t *provenance_json(const kt_provenance *provenance)
{
    json_t *texts = json_object();
    for (size_t i = 0; i < kt_n_provenance_rows; i++) {
        json_t *text = json_string(kt_provenance_text(provenance, &kt_provenance_rows[i]));
        if (text != NULL) /* NULL also when it is not UTF-8 */
            json_object_set_new(texts, kt_provenance_rows[i].name, text);
    }
    return texts;
}

static json_t *arrangement_json(const kt_arrangement *a, double seconds)
{
    char text[80];
    kt_arrangement_describe(a, text, sizeof text);
    json_t *out = json_pack("{s:s, s:I}", "arrangement", text, "ranks", (json_int_t)a->n_ranks);
    if (seconds > 0) /* else no step of it was timed yet */
        json_object_set_new(out, "step_seconds", number(seconds));
    return out;
}

/* How the ranks work at the end, and how others that were tried did. */
static json_t *arrangements_json(const kt_arrangement_times *times)
{
    json_t *tried = json_array();
    for (size_t i = 0; i < times->n; i++)
        if (times->seconds[i] > 0 && isfinite(times->seconds[i]))
            json_array_append_new(tried, arrangement_json(&times->each[i], times->seconds[i]));
    return json_pack("{s:o, s:o}", "now",
                     arrangement_json(&times->each[times->current], times->seconds[times->current]), "tried", tried);
}

static json_t *summary_json(const kt_config *config, const kt_provenance *provenance, const kt_results *r,
                            char *const *class_names)
{
    json_t *root = parts_json(kt_results_left(r));
    json_object_set_new(root, "weights", json_string(r->leaves_best ? "best" : "last"));
    json_object_set_new(root, "best", parts_json(r->best));
    json_object_set_new(root, "last", parts_json(r->last));
    json_object_set_new(root, "epochs", json_integer(r->epochs));
    json_object_set_new(root, "steps", json_integer(r->steps));
    json_object_set_new(root, "best_epoch", json_integer(r->best_epoch));
    json_object_set_new(root, "stop_reason", json_string(kt_stop_reason_name(r->reason)));
    json_object_set_new(root, "seconds", number(r->seconds));
    json_object_set_new(root, "ranks", json_integer(r->ranks));
    json_object_set_new(root, "attempts", json_integer(r->attempts.n));
    json_object_set_new(root, "lost_steps", json_integer(r->attempts.lost_steps));
    if (r->attempts.wall_seconds > 0) /* useful seconds of each second of all starts */
        json_object_set_new(root, "effective_time", number(r->seconds / r->attempts.wall_seconds));
    if (r->arrangements.n > 0)
        json_object_set_new(root, "arrangement", arrangements_json(&r->arrangements));
    json_object_set_new(root, "parameters", json_integer((json_int_t)r->n_parameters));
    json_object_set_new(root, "memory_bytes", json_integer((json_int_t)r->memory_bytes));
    json_object_set_new(root, "seed", json_integer(config->run.seed));
    json_object_set_new(root, "split_seed", json_integer(config->split.seed));
    json_object_set_new(root, "provenance", provenance_json(provenance));
    json_object_set_new(root, "classes_part", json_string(kt_part_names[r->detail_part]));
    json_object_set_new(root, "classes", classes_json(&r->detail, class_names));
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
