/* Snapshots: the state of a run in memory of its host that outlives its processes, so that a run that was killed loses
 * some steps, and not all since its last checkpoint. Local; what of it is for rank 0 says so.
 *
 * FOLDER/ktrain-UID-RUN/ (/dev/shm unless the job says otherwise) holds two snapshots, written in turn, and two places
 * for the weights of the best epoch:
 *
 *   0, 1             a head of 20 KB; vectors of parameters, of the optimizer's state, of running statistics, as they
 *                    lie in memory; counters and history
 *   best-0, best-1   a head; parameters; running statistics
 *   of               the run's directory, as text
 *   reached          the step that the run is at
 *
 * Every rank that has panels copies its own, in no agreement with the others, and signs with the step and a sum of
 * hashes; a snapshot counts when all have signed the same step and every byte is accounted for. So a kill at any
 * instruction leaves one of the two whole. */
#ifndef KTRAIN_SNAPSHOT_H
#define KTRAIN_SNAPSHOT_H

#include "saving/checkpoint.h"

typedef struct kt_snapshots kt_snapshots;

enum { KT_N_SNAPSHOTS = 2, KT_MOST_SNAPSHOT_WRITERS = 256 };

/* What there is to be saved: floats of each vector. */
typedef struct kt_snapshot_shape {
    size_t n_vectors; /* of parameters: themselves, and the state of the optimizer */
    size_t room, state_room;
} kt_snapshot_shape;

/* Bytes of a snapshot and of a best epoch's weights, without the history. Pure. */
size_t kt_snapshot_bytes(const kt_snapshot_shape *shape);
size_t kt_snapshot_best_bytes(const kt_snapshot_shape *shape);

/* Whose they are. */
typedef struct kt_snapshot_owner {
    const char *folder, *run_dir;
    uint64_t run; /* number of the run directory */
    uint64_t job; /* hash of all that its numbers depend on */
} kt_snapshot_owner;

/* Rank 0's: makes the files, or opens those that an earlier start has left, and removes what runs have left whose
 * directory is gone. They stay when the process ends. Any failure says why there can be none, and leaves none. */
kt_status kt_snapshots_create(kt_snapshots **out, const kt_snapshot_owner *owner, const kt_snapshot_shape *shape);

/* Another rank of the same host opens what rank 0 has made. */
const char *kt_snapshots_path(const kt_snapshots *snapshots);
kt_status kt_snapshots_attach(kt_snapshots **out, const char *path, const kt_snapshot_shape *shape);

/* Lets go; the files stay, or, for rank 0, are removed. NULL is allowed. */
void kt_snapshots_close(kt_snapshots *snapshots, bool removes);

/* The panels of a network that a seat of its team has: of n_seats; a single one has all. */
typedef struct kt_seat {
    size_t number, n_seats;
} kt_seat;

/* Copies the seat's panels of the state after `step` to snapshot `which`, and signs. */
void kt_snapshots_put(kt_snapshots *snapshots, int which, kt_network *network, kt_seat seat, int64_t step);

/* Rank 0, beside that: the rest, and the head. best: which place the best epoch's weights are in. A snapshot is whole
 * when this and all seats are done. KT_IO: there is no room for the history. */
kt_status kt_snapshots_seal(kt_snapshots *snapshots, int which, size_t n_seats, const kt_run_state *state,
                            const kt_history *history, int best);

/* Rank 0: where the vectors of a snapshot are, k < n_vectors; and its statistics. */
float *kt_snapshots_vector(kt_snapshots *snapshots, int which, size_t k);
float *kt_snapshots_state(kt_snapshots *snapshots, int which);

/* Rank 0: where the best epoch's weights are, or can be written, which kt_snapshots_seal_best then signs. */
kt_model_vectors kt_snapshots_best(kt_snapshots *snapshots, int place);
void kt_snapshots_seal_best(kt_snapshots *snapshots, int place, int64_t epoch);

/* Rank 0: the newest whole snapshot of a step above `after`; -1: none. With its best weights, which are whole, too:
 * *best. One that is not whole is no news: it may have been under way when its processes died. */
int kt_snapshots_newest(kt_snapshots *snapshots, const kt_network *network, int64_t after, int *best);

/* Rank 0: the run is at this step. And what was told last, by an earlier start, too. NULL is allowed: 0. */
void kt_snapshots_tell(kt_snapshots *snapshots, int64_t step);
int64_t kt_snapshots_told(const kt_snapshots *snapshots);

/* Its counters and history, which is empty before. KT_NO_MEMORY, KT_IO. */
kt_status kt_snapshots_read(kt_snapshots *snapshots, int which, kt_run_state *state, kt_history *history);

/* The step of a run's newest snapshot as far as heads tell, for those who only want to know; -1: none. */
int64_t kt_snapshots_peek(const char *folder, uint64_t run);

#endif
