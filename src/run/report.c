/* Lines, bar and tables of a run. */
#include "run/report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

enum { SHOWN_AT_EACH_DISTANCE = 100 };

static const struct {
    const char *name, *words;
} reasons[KT_N_STOP_REASONS] = {
    [KT_STOP_NOT] = {"running", "not stopped"},
    [KT_STOP_EPOCHS] = {"epochs", "all epochs are done"},
    [KT_STOP_PATIENCE] = {"patience", "the validation loss got no better for `patience` epochs"},
    [KT_STOP_STEPS] = {"max_steps", "train.max_steps is reached; the same command with more goes on"},
    [KT_STOP_DIVERGENCE] = {"divergence", "the loss is no longer finite"},
    [KT_STOP_PREEMPTION] = {"preemption", "asked to stop; the same command goes on"},
};

const char *kt_stop_reason_name(kt_stop_reason reason)
{
    return reasons[reason].name;
}

const char *kt_stop_reason_words(kt_stop_reason reason)
{
    return reasons[reason].words;
}

enum { N_FORMS = 4, FORM_BYTES = 192 };

/* The first of the forms, which get shorter, that fits; else the last. */
static const char *fitting(const kt_log *log, size_t n, char forms[][FORM_BYTES])
{
    size_t i = 0;
    while (i + 1 < n && strlen(forms[i]) >= kt_log_columns(log))
        i++;
    return forms[i];
}

void kt_report_bar(kt_log *log, const kt_epoch_progress *p)
{
    char bar[KT_TEXT_BAR_BYTES], left[32], validation[32] = "", forms[N_FORMS][FORM_BYTES], epoch[64];
    kt_text_bar(p->step, p->steps, bar);
    kt_text_duration(p->seconds_left, left, sizeof left);
    if (isfinite(p->validation_loss))
        snprintf(validation, sizeof validation, " val %.3f", p->validation_loss);
    snprintf(epoch, sizeof epoch, "epoch %" PRId64 "/%" PRId64, p->epoch, p->epochs);
    snprintf(forms[0], FORM_BYTES, "%s [%s] %zu/%zu  %.0f/s  train %.3f%s  ETA %s", epoch, bar, p->step, p->steps,
             p->samples_per_second, p->train_loss, validation, left);
    snprintf(forms[1], FORM_BYTES, "%s [%s]  train %.3f%s  ETA %s", epoch, bar, p->train_loss, validation, left);
    snprintf(forms[2], FORM_BYTES, "%s %zu %%  train %.3f  ETA %s", epoch, 100 * p->step / p->steps, p->train_loss,
             left);
    snprintf(forms[3], FORM_BYTES, "%s", epoch);
    kt_log_bar(log, "%s", fitting(log, N_FORMS, forms));
}

void kt_report_heartbeat(kt_log *log, const kt_epoch_progress *p)
{
    char left[32];
    kt_text_duration(p->seconds_left, left, sizeof left);
    kt_log_heartbeat(log, "epoch %5" PRId64 "/%" PRId64 "  step %zu of %zu  train %.4f  %.0f samples/s  ETA %s",
                     p->epoch, p->epochs, p->step, p->steps, p->train_loss, p->samples_per_second, left);
}

/* The distance of the epochs that are shown: 1, 2, 5, 10, 20, 50, ..., rising by a step each time that it has been
 * taken for about a hundred lines. */
static int64_t distance_at(int64_t epoch)
{
    static const int64_t steps[] = {1, 2, 5};
    int64_t power = 1, distance = 1;
    for (size_t i = 1; epoch > SHOWN_AT_EACH_DISTANCE * distance; i++) {
        power *= i % 3 == 0 ? 10 : 1;
        distance = steps[i % 3] * power;
    }
    return distance;
}

bool kt_report_shows_epoch(int64_t epoch)
{
    return epoch % distance_at(epoch) == 0;
}

void kt_report_epoch(kt_log *log, const kt_config *config, const kt_epoch_record *r,
                     const kt_early_stopping_state *stopping, double samples_per_second)
{
    char waits[64] = "", forms[N_FORMS][FORM_BYTES];
    if (stopping->n_bad == 0)
        snprintf(waits, sizeof waits, "best");
    else if (config->stopping.enabled)
        snprintf(waits, sizeof waits, "%" PRId64 "/%" PRId64, stopping->n_bad, config->stopping.patience);
    snprintf(forms[0], FORM_BYTES,
             "epoch %5.0f/%" PRId64 "  train %.4f (%.3f)  validation %.4f (%.3f)  rate %.3g  %7.0f samples/s  %s",
             r->epoch, config->train.epochs, r->train_cross_entropy, r->train_accuracy, r->validation_cross_entropy,
             r->validation_accuracy, r->learning_rate, samples_per_second, waits);
    snprintf(forms[1], FORM_BYTES, "epoch %5.0f/%" PRId64 "  train %.4f (%.3f)  validation %.4f (%.3f)  %s", r->epoch,
             config->train.epochs, r->train_cross_entropy, r->train_accuracy, r->validation_cross_entropy,
             r->validation_accuracy, waits);
    snprintf(forms[2], FORM_BYTES, "epoch %5.0f  train %.3f  val %.3f (%.3f)  %s", r->epoch, r->train_cross_entropy,
             r->validation_cross_entropy, r->validation_accuracy, waits);
    snprintf(forms[3], FORM_BYTES, "%5.0f  val %.3f  %s", r->epoch, r->validation_cross_entropy, waits);
    kt_log_line_of(log, forms[0], fitting(log, N_FORMS, forms));
    if (r->epoch == SHOWN_AT_EACH_DISTANCE && config->train.epochs > SHOWN_AT_EACH_DISTANCE)
        kt_log_line(log, "       from here on every 2nd epoch is shown, then fewer; history.csv has all");
}

static void append_record(kt_text_buffer *buffer, const kt_epoch_record *record)
{
    const double *values = kt_history_values(record);
    for (size_t c = 0; c < KT_HISTORY_COLUMNS; c++)
        kt_text_append(buffer, "%s%.10g", c > 0 ? "," : "", values[c]);
    kt_text_append(buffer, "\n");
}

/* Puts the text at the end of a file. */
static kt_status append_to_file(kt_text_buffer *buffer, const char *path)
{
    char *text;
    size_t n = buffer->n;
    KT_TRY(kt_text_take(buffer, &text));
    FILE *file = fopen(path, "a");
    bool written = file != NULL && fwrite(text, 1, n, file) == n;
    if (file != NULL && fclose(file) != 0)
        written = false;
    kt_memory_free(text);
    return written ? KT_OK : kt_fail(KT_IO, "%s: cannot be written: %s", path, strerror(errno));
}

kt_status kt_report_write_history(const char *path, const kt_history *history)
{
    kt_text_buffer buffer = {0};
    for (size_t c = 0; c < KT_HISTORY_COLUMNS; c++)
        kt_text_append(&buffer, "%s%s", c > 0 ? "," : "", kt_history_columns[c]);
    kt_text_append(&buffer, "\n");
    for (size_t i = 0; i < history->n; i++)
        append_record(&buffer, &history->records[i]);
    return kt_file_replace_text(path, &buffer);
}

kt_status kt_report_append_history(const char *path, const kt_epoch_record *record)
{
    kt_text_buffer buffer = {0};
    append_record(&buffer, record);
    return append_to_file(&buffer, path);
}

kt_status kt_report_start_steps(const char *path, int64_t n_steps)
{
    kt_text_buffer buffer = {0};
    unsigned char *text = NULL;
    size_t n_bytes;
    kt_text_append(&buffer, "step,loss\n");
    if (n_steps > 0 && kt_file_exists(path))
        KT_TRY(kt_file_read(path, &text, &n_bytes));
    for (char *line = (char *)text, *end; line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        int64_t step = strtoll(line, NULL, 10); /* 0 for the header */
        if (step > 0 && step <= n_steps)
            kt_text_append(&buffer, "%.*s\n", (int)(end - line), line);
    }
    kt_memory_free(text);
    return kt_file_replace_text(path, &buffer);
}

kt_status kt_report_append_step(const char *path, int64_t step, double loss)
{
    kt_text_buffer buffer = {0};
    kt_text_append(&buffer, "%" PRId64 ",%.17g\n", step, loss);
    return append_to_file(&buffer, path);
}

const kt_scores *kt_results_left(const kt_results *results)
{
    return results->leaves_best ? results->best : results->last;
}

void kt_report_scores(kt_log *log, const kt_scores scores[KT_N_PARTS], const char *const names[KT_N_PARTS])
{
    kt_log_line(log, "%-10s %8s %8s %13s %8s %8s", "", "samples", "accuracy", "cross-entropy", "balanced", "macro F1");
    for (int p = 0; p < KT_N_PARTS; p++)
        if (scores[p].samples > 0)
            kt_log_line(log, "%-10s %8" PRId64 " %8.4f %13.4f %8.4f %8.4f", names[p], scores[p].samples,
                        scores[p].accuracy, fabs(scores[p].cross_entropy), scores[p].balanced_accuracy,
                        scores[p].macro_f1);
}

void kt_report_provenance(kt_log *log, const kt_provenance *provenance)
{
    for (size_t i = 0; i < kt_n_provenance_rows; i++)
        kt_log_file_line(log, "%-8s %s", kt_provenance_rows[i].name,
                         kt_provenance_text(provenance, &kt_provenance_rows[i]));
}

void kt_report_results(kt_log *log, const kt_results *r, const char *dir)
{
    char duration[32];
    kt_text_duration(r->seconds, duration, sizeof duration);
    kt_log_line(log, "%s", "");
    kt_log_line(log, "weights of the %s epoch (%" PRId64 ")", r->leaves_best ? "best" : "last",
                r->leaves_best ? r->best_epoch : r->epochs);
    kt_report_scores(log, kt_results_left(r), kt_part_names);
    kt_log_line(log,
                "stopped after epoch %" PRId64 ", step %" PRId64 ": %s (%s); best epoch %" PRId64
                "; trained for %s on %" PRId64 " rank%s",
                r->epochs, r->steps, kt_stop_reason_words(r->reason), kt_stop_reason_name(r->reason), r->best_epoch,
                duration, r->ranks, r->ranks == 1 ? "" : "s");
    kt_log_line(log, "results in %s: summary.json, history.csv, confusion.csv, %scheckpoints/", dir,
                r->best_epoch > 0 ? "best.h5, " : "");
}
