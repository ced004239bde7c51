/* The directory of a run: who may write in it, and where a run goes on. Local, for rank 0. */
#ifndef KTRAIN_RUN_DIRECTORY_H
#define KTRAIN_RUN_DIRECTORY_H

#include "base/file.h"
#include "base/log.h"
#include "engine/config.h"
#include "engine/data.h"
#include "saving/checkpoint.h"

typedef struct kt_run_directory {
    const kt_config *config; /* borrowed, as are data and log */
    const kt_data *data;
    kt_log *log;
    int lock;        /* open file descriptor of the lock; -1: none */
    uint64_t number; /* of the directory (saving/run_number.h); 0: it could not be given one */
    kt_hdf5 *start;  /* owned: the checkpoint to go on from, verified; NULL: begin at step 0 */
    char start_path[KT_PATH_BYTES];
} kt_run_directory;

/* What is left to ktrain (parallel.shards = auto) goes on as the run was begun, as far as can be told: without a word
 * of what cannot. Nothing is written. */
void kt_run_directory_settle(kt_config *config);

/* Makes and locks config->run.dir, which must be new, empty or a run's, clears what killed runs left half-written,
 * opens its log.txt, finds where to start as checkpoint.resume says, and writes config.ini.
 *   auto   the newest good checkpoint; damaged ones are set aside (*.damaged) with a warning
 *   never  step 0; what the directory held is moved to DIR.old-N
 *   PATH   that checkpoint of another run; what the directory held is moved to DIR.old-N, unless it is a run begun
 *   from the same PATH, which goes on
 * config.ini stays as it is when it is the job itself. KT_CONFIG: neither empty nor a run's, with an input of the run
 * where it would write, in use by another ktrain, a sweep's, a run of other settings, or a model file without training
 * state; KT_DATA: of other data or another split, all checkpoints damaged, or a newer format; KT_IO. */
kt_status kt_run_directory_open(kt_run_directory *out, const kt_config *config, const kt_data *data, kt_log *log);
void kt_run_directory_close(kt_run_directory *directory);

/* Closes `start` once it is read: its image is as large as the checkpoint. */
void kt_run_directory_release_start(kt_run_directory *directory);

/* Opens the weights that a run leaves: `path` itself when it is a file; in a directory best.h5, or the newest good
 * checkpoint where the run leaves its last weights. model_path is the file's. KT_NO_INPUT, KT_DATA. */
kt_status kt_run_directory_open_model(const char *path, kt_log *log, kt_hdf5 **file, char model_path[KT_PATH_BYTES]);

#endif
