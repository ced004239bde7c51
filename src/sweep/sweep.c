/* A sweep on all ranks: groups, work, results. */
#include "sweep/sweep.h"

#include <string.h>

#include "base/memory.h"
#include "base/timer.h"
#include "edge/linalg.h"
#include "engine/host_report.h"
#include "process/stop.h"
#include "run/report.h"
#include "sweep/sweep_data.h"
#include "sweep/sweep_desk.h"
#include "sweep/sweep_trial.h"

typedef struct sweep {
    kt_comm *world, *mail, *group;
    const kt_sweep_request *plan;
    kt_log *log;
    kt_sweep_data data;
    kt_sweep_desk desk; /* rank 0's */
    bool heard;         /* other first ranks of groups: within a trial, that they are to stop */
} sweep;

/* The first rank's order to all of the group. Those who have nothing to do sleep. */
static void share_order(sweep *s, kt_sweep_order *o)
{
    if (kt_comm_size(s->group) > 1)
        kt_comm_barrier_asleep(s->group);
    kt_comm_broadcast(s->group, 0, o, sizeof *o);
}

/* The only message that comes within a trial: another group was asked to stop. */
static void hear(void *context)
{
    sweep *s = context;
    kt_sweep_order o;
    int from;
    if (s->heard || !kt_comm_poll(s->mail, &from))
        return;
    kt_comm_receive(s->mail, from, &o, sizeof o);
    s->heard = true;
    kt_stop_ask();
}

/* Rank 0's group works as the others do, and serves them meanwhile. */
static void work_and_serve(sweep *s)
{
    kt_sweep_order o;
    kt_outcome outcome;
    for (;;) {
        kt_sweep_desk_next(&s->desk, &o);
        share_order(s, &o);
        if (o.stop)
            break;
        kt_sweep_trial_train(s->group, &s->data, &o.proposal, o.repetition, (kt_pulse){kt_sweep_desk_serve, &s->desk},
                             &outcome);
        kt_sweep_desk_take(&s->desk, o.trial, &outcome);
        kt_sweep_desk_serve(&s->desk);
    }
    kt_sweep_desk_wait(&s->desk);
}

static void work(sweep *s)
{
    const bool leads = kt_comm_rank(s->group) == 0;
    kt_sweep_news news = {.trial = KT_NO_TRIAL};
    for (kt_sweep_order o = {0};;) {
        if (leads) {
            const double since = kt_timer_seconds();
            kt_comm_send(s->mail, 0, &news, sizeof news);
            if (s->heard)
                o = (kt_sweep_order){.stop = true};
            else
                kt_comm_receive(s->mail, 0, &o, sizeof o);
            news.idle_seconds = kt_timer_seconds() - since;
        }
        share_order(s, &o);
        if (o.stop)
            return;
        kt_sweep_trial_train(s->group, &s->data, &o.proposal, o.repetition, (kt_pulse){leads ? hear : NULL, s},
                             &news.outcome);
        news.trial = o.trial;
    }
}

/* The first group trains the best point once more: the same bits again. Collective over all ranks. */
static void keep_best(sweep *s)
{
    const bool root = kt_comm_rank(s->world) == 0;
    kt_sweep_order o = {0};
    kt_outcome outcome;
    bool lacks = root && !s->plan->merge && kt_sweep_desk_lacks_best(&s->desk, &o);
    kt_comm_broadcast(s->world, 0, &lacks, sizeof lacks);
    kt_comm_broadcast(s->world, 0, &o, sizeof o);
    if (!lacks || kt_comm_rank(s->world) >= kt_comm_size(s->group))
        return;
    if (root)
        kt_log_line(s->log, "best   trained once more for its weights, which were not kept");
    kt_sweep_trial_train(s->group, &s->data, &o.proposal, o.repetition, (kt_pulse){0}, &outcome);
    if (root)
        kt_sweep_desk_take_best(&s->desk, &o, &outcome);
}

static kt_status open_desk(sweep *s)
{
    kt_sweep_desk *desk = &s->desk;
    KT_TRY(kt_trials_create(&desk->trials, s->data.space, s->plan->slice, kt_sweep_data_source(&s->data)));
    desk->trials.retry = s->plan->retry;
    KT_TRY(
        kt_sweep_files_open(&desk->files, &desk->trials, s->plan->merge, s->plan->n_sources, s->plan->sources, s->log));
    return kt_sweep_desk_open(desk, s->mail, s->log);
}

static kt_status go_through(sweep *s)
{
    kt_provenance made;
    const bool root = kt_comm_rank(s->world) == 0;
    KT_TRY(kt_comm_agree(s->world, root ? open_desk(s) : KT_OK));
    KT_TRY(kt_provenance_collect(s->world, &made));
    kt_report_provenance(s->log, &made);
    KT_TRY(kt_host_report(s->world, kt_linalg_threads(), s->log));
    if (root)
        kt_sweep_desk_start(&s->desk);
    if (root && s->plan->merge)
        kt_sweep_desk_merge(&s->desk, s->plan->n_sources == 0);
    else if (!s->plan->merge)
        (root ? work_and_serve : work)(s);
    kt_comm_barrier_asleep(s->world);
    keep_best(s);
    kt_comm_barrier_asleep(s->world); /* while the first group may be training */
    return kt_comm_agree(s->world, root ? kt_sweep_desk_conclude(&s->desk) : KT_OK);
}

kt_status kt_sweep_run(kt_comm *world, const kt_space *space, const kt_sweep_request *plan, kt_log *log)
{
    sweep *s;
    kt_status status = kt_comm_agree(world, KT_NEW(s, 1));
    if (status != KT_OK) {
        kt_memory_free(s);
        return status;
    }
    *s = (sweep){.world = world, .plan = plan, .log = log, .desk.files.locks = {-1, -1}};
    status = kt_sweep_trial_group(world, space, &s->group);
    if (status == KT_OK)
        status = kt_comm_group(world, 0, &s->mail);
    if (status == KT_OK)
        status = kt_sweep_data_load(world, space, log, &s->data);
    if (status == KT_OK)
        status = go_through(s);
    kt_sweep_data_free(&s->data);
    kt_comm_free(s->mail);
    kt_comm_free(s->group);
    kt_sweep_desk_close(&s->desk);
    kt_memory_free(s);
    return status;
}
