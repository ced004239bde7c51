/* Training: from a state to the end of a run. The loop that everything else is there for. */
#ifndef KTRAIN_TRAINER_H
#define KTRAIN_TRAINER_H

#include "base/log.h"
#include "edge/comm.h"
#include "engine/exchange.h"
#include "run/report.h"
#include "saving/checkpoint.h"

typedef struct kt_trainer kt_trainer;

/* What a rank does between two steps, some ten thousand times a second in a small net: it may not call anything that
 * is collective over the trainer's ranks. */
typedef struct kt_pulse {
    void (*beat)(void *context); /* NULL: nothing is done */
    void *context;               /* borrowed */
} kt_pulse;

/* What the replicas tell each other of every shard of a batch. */
typedef struct kt_shard_result {
    kt_loss_sums sums;
    int64_t words; /* that were said in the replica that scored it: a bit each (replica.h) */
} kt_shard_result;

/* What a rank's arrangement needs, by the code that lays it out. Local and pure. */
typedef struct kt_trainer_room {
    kt_network_room network;
    size_t exchange_bytes;
    size_t best_bytes,       /* rank 0's best weights, */
        snapshot_bytes,      /* or, where there are snapshots, they and two of these; */
        state_bytes;         /* and for moments, while ranks are rearranged, weights and state of the optimizer */
    kt_replica_room replica; /* what it is asked for in all */
} kt_trainer_room;
kt_status kt_trainer_measure(const kt_network_spec *spec, const kt_team *team, const kt_exchange_plan *plan,
                             kt_trainer_room *out);

/* A trainer at step 0, weights initialized. comm, config, data and log are borrowed for its lifetime; dir is where
 * checkpoints/, best.h5 and history.csv go (NULL: nothing is written). Collective. *out is NULL on failure. */
kt_status kt_trainer_create(kt_trainer **out, kt_comm *comm, const kt_config *config, const kt_data *data, kt_log *log,
                            const char *dir);
void kt_trainer_free(kt_trainer *trainer); /* collective */

/* From now on this rank's pulse. Local. */
void kt_trainer_set_pulse(kt_trainer *trainer, kt_pulse pulse);

/* Lets all arrangements of the ranks be tried in the next steps, however few are left to train; and whether that is
 * done. By all ranks. Local. */
void kt_trainer_try_arrangements(kt_trainer *trainer);
bool kt_trainer_has_tried(const kt_trainer *trainer);

/* Before anything is resumed, for a run that is saved: room for snapshots of the run directory with this number, which
 * is rank 0's (0: it has none), and for the best weights. Collective. */
kt_status kt_trainer_open_saving(kt_trainer *trainer, uint64_t run);

/* Takes over the state in rank 0's `file`, written for the same network (NULL: none, as elsewhere), or that of a newer
 * snapshot. *from (KT_RESUMED_...) is the same on all ranks. Collective. */
typedef enum kt_resumed { KT_RESUMED_NOT, KT_RESUMED_CHECKPOINT, KT_RESUMED_SNAPSHOT } kt_resumed;
kt_status kt_trainer_resume(kt_trainer *trainer, kt_hdf5 *file, kt_resumed *from);

/* Trains until there is a reason to stop; at once when there is one already. A rank that was asked to (stop.h) is one,
 * at the end of the step under way: KT_OK, *reason KT_STOP_PREEMPTION on all ranks, and a checkpoint is saved.
 * KT_DIVERGED when the loss is no longer finite: *reason says so, the last checkpoint stays. Collective. */
kt_status kt_trainer_run(kt_trainer *trainer, kt_stop_reason *reason);

/* Scores of best and last weights on all parts, then leaves the network with the weights the run leaves; the trainer
 * is then only freed. results->detail is owned by the caller (kt_metrics_free). Collective. */
kt_status kt_trainer_finish(kt_trainer *trainer, kt_results *results);

/* Where training stands, and why it would stop now. Local. */
const kt_progress *kt_trainer_progress(const kt_trainer *trainer);
kt_stop_reason kt_trainer_stop_reason(const kt_trainer *trainer);
kt_network *kt_trainer_network(kt_trainer *trainer);
const kt_provenance *kt_trainer_provenance(const kt_trainer *trainer); /* of this start */
const kt_exchange_plan *kt_trainer_plan(const kt_trainer *trainer);
const kt_replica *kt_trainer_replica(const kt_trainer *trainer);

/* A few lines on the network, and on who works on what. Local. */
void kt_trainer_report(const kt_trainer *trainer);

#endif
