/* The record of a sweep's finished trials: a text file with a line of JSON each, only ever appended to. A line is on
 * disk before anyone is told that its trial is done. Local, for rank 0.
 *
 *   {"key": "5f0c...", "config": {"model.hidden": "[64]", ...}, "status": "done", "code": 0, "stop_reason": "patience",
 *    "validation_cross_entropy": 1.46, ..., "crc": "1a2b3c4d"}
 *
 * config holds every key that differs from its default, but for those that are no part of what a trial computes. A
 * number that is not finite is null. Bytes that are not UTF-8 become '?'. crc is the CRC-32 of the line before
 * `, "crc"`. */
#ifndef KTRAIN_JOURNAL_H
#define KTRAIN_JOURNAL_H

#include "engine/config.h"
#include "sweep/outcome.h"

/* What a trial is known by: its configuration (kt_config_key) and the fingerprint of its data. Never 0. */
uint64_t kt_trial_key(const kt_config *config, uint64_t fingerprint);

typedef struct kt_journal kt_journal;

/* Opens for appending, and makes the file when there is none; a last line that a kill has cut is ended. KT_IO. */
kt_status kt_journal_open(const char *path, kt_journal **out);
void kt_journal_close(kt_journal *journal); /* NULL is allowed */

/* One more line, on disk (fsync) when it returns. KT_IO when the disk is full: what was there stays, and what was
 * written of the line is taken back. */
kt_status kt_journal_append(kt_journal *journal, const kt_config *config, const kt_outcome *outcome);

/* Every good line of a journal, in order, to take(); config is valid during the call. *n_damaged lines are not good
 * (torn, garbage, a wrong crc, a configuration that this program cannot read); *first_damaged is the number of the
 * first of them, from 1 (0: none). Empty lines are neither good nor damaged. A file that is not there has no lines.
 * What take() returns other than KT_OK ends it. KT_IO. */
typedef kt_status kt_journal_take(void *context, const kt_config *config, const kt_outcome *outcome);
kt_status kt_journal_read(const char *path, kt_journal_take *take, void *context, size_t *n_damaged,
                          size_t *first_damaged);

#endif
