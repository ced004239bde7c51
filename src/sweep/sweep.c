#include "sweep/sweep.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/timer.h"
#include "edge/linalg.h"
#include "engine/placement.h"
#include "run/report.h"
#include "run/stop.h"
#include "sweep/sweep_private.h"

/* ---- every group ---- */

/* The first rank's order to all of the group. Those who have nothing to do sleep. */
static void share_order(kt_sweep *s, kt_sweep_order *o)
{
    if (kt_comm_size(s->group) > 1)
        kt_comm_barrier_asleep(s->group);
    kt_comm_broadcast(s->group, 0, o, sizeof *o);
}

/* The only message that comes within a trial: another group was asked to stop. */
static void hear(void *context)
{
    kt_sweep *s = context;
    kt_sweep_order o;
    int from;
    if (s->heard || !kt_comm_poll(s->mail, &from))
        return;
    kt_comm_receive(s->mail, from, &o, sizeof o);
    s->heard = true;
    kt_stop_ask();
}

static void run_trial(kt_sweep *s, const kt_sweep_order *o, kt_outcome *outcome)
{
    const bool root = kt_comm_rank(s->world) == 0;
    const bool leads = kt_comm_rank(s->group) == 0;
    const kt_pulse pulse = {.beat = root ? kt_sweep_serve : leads ? hear : NULL, .context = s};
    const kt_status status =
        kt_comm_agree(s->group, kt_trial_config(s->space, &s->source, &o->proposal, o->repetition, s->config));
    if (status == KT_OK)
        kt_sweep_train(s->group, s->config, &s->data, pulse, outcome);
    else
        kt_sweep_fill_outcome(status, &(kt_results){0}, outcome);
}

/* Rank 0's group works as the others do, and serves them meanwhile. */
static void work_and_serve(kt_sweep *s)
{
    kt_sweep_order o = {0};
    kt_outcome outcome;
    for (;;) {
        const double since = kt_timer_seconds();
        while (kt_sweep_next(s, &o) == KT_WAIT) {
            kt_sweep_serve(s);
            kt_timer_sleep(2e-4);
        }
        if (!o.stop)
            s->idle_seconds += kt_timer_seconds() - since;
        else
            s->idle_seconds += fmax(s->busy_until - since, 0);
        share_order(s, &o);
        if (o.stop)
            break;
        run_trial(s, &o, &outcome);
        kt_sweep_take(s, o.trial, &outcome);
        kt_sweep_serve(s);
    }
    while (s->n_stopped + 1 < s->n_groups) {
        kt_sweep_serve(s);
        kt_timer_sleep(2e-4);
    }
}

static void work(kt_sweep *s)
{
    const bool leads = kt_comm_rank(s->group) == 0;
    kt_sweep_news r = {.trial = KT_NO_TRIAL};
    for (kt_sweep_order o = {0};;) {
        if (leads) {
            const double since = kt_timer_seconds();
            kt_comm_send(s->mail, 0, &r, sizeof r);
            if (s->heard)
                o = (kt_sweep_order){.stop = true};
            else
                kt_comm_receive(s->mail, 0, &o, sizeof o);
            r.idle_seconds = kt_timer_seconds() - since;
        }
        share_order(s, &o);
        if (o.stop)
            return;
        run_trial(s, &o, &r.outcome);
        r.trial = o.trial;
    }
}

/* ---- the whole ---- */

/* The first group trains the best point once more: the same bits again. Collective over all ranks. */
static void keep_best(kt_sweep *s)
{
    const bool root = kt_comm_rank(s->world) == 0;
    kt_sweep_order o = {.trial = KT_NO_TRIAL};
    kt_outcome outcome;
    bool lacks = root && kt_sweep_lacks_best(s, &o);
    kt_comm_broadcast(s->world, 0, &lacks, sizeof lacks);
    kt_comm_broadcast(s->world, 0, &o, sizeof o);
    if (!lacks || kt_comm_rank(s->world) >= kt_comm_size(s->group))
        return;
    if (root)
        kt_log_line(s->log, "best   trained once more for its weights, which were not kept");
    const kt_status status =
        kt_comm_agree(s->group, kt_trial_config(s->space, &s->source, &o.proposal, o.repetition, s->config));
    if (status == KT_OK)
        kt_sweep_train(s->group, s->config, &s->data, (kt_pulse){0}, &outcome);
    if (root && (status != KT_OK || outcome.status != KT_OK)) {
        s->failure = *kt_error_last();
        s->failure.status = status != KT_OK ? status : (kt_status)outcome.status;
    } else if (root &&
               kt_trial_value(s->space, &outcome) != kt_trial_value(s->space, &s->trials.all[o.trial].outcome)) {
        kt_log_warning(s->log, "trained once more, the best trial came to other numbers than are on record: those are "
                               "from another version or processor");
    }
}

static kt_status go_through(kt_sweep *s)
{
    kt_provenance made;
    const bool root = kt_comm_rank(s->world) == 0;
    KT_TRY(kt_comm_agree(s->world, root ? kt_sweep_open(s) : KT_OK));
    KT_TRY(kt_provenance_collect(s->world, &made));
    kt_report_provenance(s->log, &made);
    KT_TRY(kt_placement_report(s->world, kt_linalg_threads(), s->log));
    s->start_seconds = s->line_seconds = s->files_seconds = s->busy_until = kt_timer_seconds();
    s->best.mean = INFINITY;
    if (root)
        kt_sweep_report_start(s);
    if (root && s->plan->merge)
        kt_sweep_take_what_is_there(s);
    else if (!s->plan->merge)
        (root ? work_and_serve : work)(s);
    kt_comm_barrier_asleep(s->world);
    keep_best(s);
    kt_comm_barrier_asleep(s->world); /* while the first group may be training */
    kt_status status = KT_OK;
    if (root) {
        status = kt_sweep_conclude(s);
        if (s->failure.status != KT_OK)
            status = kt_fail_as(&s->failure);
    }
    return kt_comm_agree(s->world, status);
}

kt_status kt_sweep_run(kt_comm *world, const kt_space *space, const kt_sweep_plan *plan, kt_log *log)
{
    kt_sweep *s;
    kt_status status = kt_comm_agree(world, KT_NEW(s, 1));
    if (status != KT_OK) {
        kt_memory_free(s);
        return status;
    }
    *s = (kt_sweep){.world = world, .space = space, .plan = plan, .log = log, .files.locks = {-1, -1}};
    s->costs = (kt_sweep_costs){&s->data, (size_t)space->settings.ranks_per_trial};
    s->source = kt_sweep_source(&s->costs);
    s->n_groups = (size_t)(kt_comm_size(world) / space->settings.ranks_per_trial);
    status = kt_comm_agree(world, KT_NEW(s->config, 1));
    if (status == KT_OK)
        status = kt_sweep_split(world, space, &s->group);
    if (status == KT_OK)
        status = kt_comm_split(world, 0, &s->mail);
    if (status == KT_OK)
        status = kt_sweep_load_data(world, space, log, &s->data);
    if (status == KT_OK)
        status = go_through(s);
    kt_sweep_free_data(&s->data);
    kt_comm_free(s->mail);
    kt_comm_free(s->group);
    kt_sweep_close_files(&s->files);
    kt_trials_free(&s->trials);
    kt_memory_free(s->waits);
    kt_memory_free(s->waits_since);
    kt_memory_free(s->told);
    kt_memory_free(s->config);
    kt_memory_free(s);
    return status;
}
