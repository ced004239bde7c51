/* The beginning and end of a trainer: its batches, its loss, and its network in the memory of its replica. */
#include <unistd.h>

#include "base/memory.h"
#include "base/timer.h"
#include "engine/evaluate.h"
#include "run/trainer_private.h"

/* Linux grants memory that it does not have, and kills who uses it: what can never fit is refused before. */
static kt_status check_memory(size_t n_bytes)
{
    const double all = (double)n_bytes;
    const double here = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGE_SIZE);
    if (all < here)
        return KT_OK;
    return kt_fail(
        KT_CONFIG,
        "model.hidden and train.batch_size make a network of %.3g GiB, and this machine has %.3g: must be smaller",
        all / (1 << 30), here / (1 << 30));
}

static kt_status prepare_loss(kt_trainer *t)
{
    const size_t n_classes = t->data->set.n_classes;
    size_t *counts;
    KT_TRY(KT_NEW(t->class_weights, n_classes));
    KT_TRY(KT_NEW(counts, n_classes));
    kt_dataset_class_counts(&t->data->set, t->data->split.index[KT_TRAIN], t->data->split.n[KT_TRAIN], counts);
    const kt_status status = kt_loss_prepare(&t->config->loss, n_classes, counts, t->class_weights, &t->loss);
    kt_memory_free(counts);
    return status;
}

static kt_status prepare_batches(kt_trainer *t)
{
    const kt_split *split = &t->data->split;
    const size_t fewest = kt_config_fewest_samples(t->config);
    if (fewest > 1 && t->config->train.batch_size == 1)
        return kt_fail(KT_CONFIG, "train.batch_size = 1 with model.batch_norm = true: one sample has no spread to "
                                  "normalize by; must be 2 or more");
    if (split->n[KT_TRAIN] < fewest)
        return kt_fail(KT_DATA,
                       "%zu training sample with model.batch_norm = true: one sample has no spread to "
                       "normalize by; must be 2 or more",
                       split->n[KT_TRAIN]);
    KT_TRY(kt_batches_create(&t->batches, split->index[KT_TRAIN], split->n[KT_TRAIN], kt_config_batch_size(t->config),
                             fewest, (uint64_t)t->config->run.seed));
    return KT_NEW(t->labels, t->batches.sizes.largest);
}

/* What the ranks of a replica share. */
typedef struct shared {
    kt_board *board;
    void *network, *exchange;
} shared;

static shared lay_out(const kt_trainer_room *room, kt_arena *arena)
{
    shared s;
    s.board = kt_arena_take(arena, 1, sizeof *s.board);
    s.network = kt_arena_take(arena, room->network.shared_bytes, 1);
    s.exchange = kt_arena_take(arena, room->exchange_bytes, 1);
    return s;
}

kt_status kt_trainer_measure(const kt_network_spec *spec, const kt_team *team, const kt_exchange_plan *plan,
                             kt_trainer_room *out)
{
    kt_arena count = {0};
    *out = (kt_trainer_room){.exchange_bytes = kt_exchange_pool_bytes(plan)};
    KT_TRY(kt_network_measure(spec, team, &out->network));
    lay_out(out, &count);
    const kt_snapshot_shape shape = {1 + plan->job.n_slots, plan->n_floats, out->network.n_state_floats};
    out->best_bytes = plan->n_floats * sizeof(float);
    out->state_bytes = shape.n_vectors * out->best_bytes;
    out->snapshot_bytes = KT_N_SNAPSHOTS * (kt_snapshot_bytes(&shape) + kt_snapshot_best_bytes(&shape));
    out->replica = (kt_replica_room){
        .n_bytes = count.used,
        .letter_bytes = kt_larger(out->network.letter_bytes, kt_exchange_letter_bytes(plan)),
        .rank_bytes = out->network.rank_bytes,
        .root_bytes = out->best_bytes + out->state_bytes,
    };
    return KT_OK;
}

static kt_status allocate(kt_trainer *t, const kt_network_spec *spec)
{
    kt_trainer_room room;
    KT_TRY(kt_comm_agree(t->work, kt_trainer_measure(spec, &t->replica.team, &t->plan, &room)));
    t->n_parameters = room.network.n_parameters;
    KT_TRY(kt_comm_agree(t->work, check_memory(room.replica.n_bytes + room.replica.rank_bytes)));
    KT_TRY(kt_replica_allocate(&t->replica, &room.replica));
    const shared memory = lay_out(&room, &(kt_arena){.base = kt_replica_memory(&t->replica)});
    t->board = memory.board;
    kt_status status = kt_network_create_in_team(&t->network, spec, &t->replica.team, memory.network);
    KT_TRY(kt_comm_agree(t->work, status));
    return kt_exchange_create(&t->exchange, &t->replica, &t->plan, t->network, memory.exchange);
}

void kt_trainer_free_arrangement(kt_trainer *t)
{
    kt_exchange_free(t->exchange);
    kt_exchange_plan_free(&t->plan);
    kt_network_free(t->network);
    kt_replica_free(&t->replica);
    kt_comm_free(t->work);
    t->exchange = NULL;
    t->network = NULL;
    t->kept = (kt_range){0};
    t->work = NULL;
}

static kt_status group_ranks(kt_trainer *t, const kt_arrangement *a)
{
    KT_TRY(kt_replica_create(&t->replica, t->work, a->ranks_per_replica));
    KT_TRY(kt_exchange_choose(&t->plan, &t->replica, &t->config->exchange, &t->config->optimizer, &t->spec));
    return allocate(t, &t->spec);
}

kt_status kt_trainer_build_arrangement(kt_trainer *t, const kt_arrangement *a)
{
    t->works = (size_t)kt_comm_rank(t->comm) < a->n_ranks;
    KT_TRY(kt_comm_group(t->comm, t->works ? 0 : 1, &t->work));
    const kt_status status = kt_comm_agree(t->comm, t->works ? group_ranks(t, a) : KT_OK);
    if (status != KT_OK)
        kt_trainer_free_arrangement(t);
    else
        kt_trainer_attach_snapshots(t);
    return status;
}

static kt_status build(kt_trainer *t)
{
    const kt_dataset *set = &t->data->set;
    t->spec = kt_config_network(t->config, set->d, set->n_classes);
    KT_TRY(kt_comm_agree(t->comm, kt_arrangement_check(&t->config->arrangement, (size_t)kt_comm_size(t->comm))));
    KT_TRY(kt_comm_agree(t->comm, prepare_batches(t)));
    KT_TRY(kt_comm_agree(t->comm, prepare_loss(t)));
    t->spec.max_batch = t->batches.sizes.largest;
    t->spec.max_rows = kt_evaluate_max_rows(t->batches.sizes.largest, &t->data->split);
    kt_replica_agree_on_products(t->comm, &t->spec);
    KT_TRY(kt_trainer_arrange(t));
    if (t->works) {
        kt_network_initialize(t->network, (uint64_t)t->config->run.seed);
        kt_pool_settle(t->replica.pool);
    }
    return KT_OK;
}

kt_status kt_trainer_create(kt_trainer **out, kt_comm *comm, const kt_config *config, const kt_data *data, kt_log *log,
                            const char *dir)
{
    kt_trainer *t;
    *out = NULL;
    kt_status status = kt_comm_agree(comm, KT_NEW(t, 1));
    if (status != KT_OK) {
        kt_memory_free(t);
        return status;
    }
    t->comm = comm;
    t->config = config;
    t->data = data;
    t->log = log;
    t->dir = dir;
    t->root = kt_comm_rank(comm) == 0;
    t->saved_step = -1;
    status = build(t);
    if (status == KT_OK)
        status = kt_provenance_collect(comm, &t->provenance);
    if (status != KT_OK) {
        kt_trainer_free(t);
        return status;
    }
    t->start_seconds = kt_timer_seconds();
    *out = t;
    return KT_OK;
}

void kt_trainer_set_pulse(kt_trainer *t, kt_pulse pulse)
{
    t->pulse = pulse;
}

void kt_trainer_free(kt_trainer *t)
{
    if (t == NULL)
        return;
    kt_trainer_close_saving(t);
    kt_trainer_free_arrangement(t);
    kt_batches_free(&t->batches);
    kt_history_free(&t->history);
    kt_attempts_close(t->attempts, t->state.progress.step);
    kt_memory_free(t->class_weights);
    kt_memory_free(t->labels);
    kt_memory_free(t);
}

const kt_progress *kt_trainer_progress(const kt_trainer *trainer)
{
    return &trainer->state.progress;
}

const kt_provenance *kt_trainer_provenance(const kt_trainer *trainer)
{
    return &trainer->provenance;
}

kt_network *kt_trainer_network(kt_trainer *trainer)
{
    return trainer->network;
}

const kt_exchange_plan *kt_trainer_plan(const kt_trainer *trainer)
{
    return &trainer->plan;
}

const kt_replica *kt_trainer_replica(const kt_trainer *trainer)
{
    return &trainer->replica;
}
