/* Finding the fastest arrangement of the ranks by trying, while they train: no bit depends on it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/test_point.h"
#include "base/timer.h"
#include "run/trainer_private.h"

/* An arrangement is tried for so long and so many steps, of which the first are not counted. Nothing is tried in a run
 * that has not lasted, or is not about to last, so long that it pays. */
static const double TRY_SECONDS = 0.05, FIRST_SECONDS = 0.3, WORTH_SECONDS = 3;
enum { TRY_STEPS = 5, WARM_STEPS = 2 };

/* All are tried again when steps have been so much slower in so many looks in a row; and after a pause anyway, since a
 * noisy moment may have decided, and cores may have come nearer to each other. The pause is so long that trying takes
 * no larger share of the time. */
static const double SLOW = 1.3, LOOK_SECONDS = 1, PAUSE_SECONDS = 10, SHARE = 0.01;
enum { SLOW_LOOKS = 3 };

/* ---- what is tried ---- */

static void begin(kt_trainer *t)
{
    t->tried.start_seconds = t->tried.last_seconds = kt_timer_seconds();
    t->tried.n_steps = 0;
}

/* Another arrangement may fit where this one needs too much memory, or messages that MPI cannot count. */
static bool cannot_be(kt_status status)
{
    return status == KT_NO_MEMORY || status == KT_CONFIG;
}

/* It is not tried again: the sentence of what has just failed says why. */
static void leave_out(kt_trainer *t, size_t i)
{
    char text[80];
    kt_arrangement_describe(&t->tried.times.each[i], text, sizeof text);
    kt_log_warning(t->log, "not %s: %s", text, kt_error_message());
    t->tried.times.seconds[i] = HUGE_VAL;
}

kt_status kt_trainer_arrange(kt_trainer *t)
{
    kt_comm *host;
    KT_TRY(kt_comm_group_host(t->comm, &host));
    int64_t n_hosts = kt_comm_rank(host) == 0;
    kt_comm_free(host);
    kt_comm_sum_i64(t->comm, &n_hosts, 1);
    const kt_arrangement_job from = {
        .n_ranks = (size_t)kt_comm_size(t->comm),
        .n_hosts = (size_t)n_hosts,
        .batch_size = t->batches.sizes.each,
        .n_shards = kt_exchange_shards(&t->config->exchange, t->batches.sizes.largest, (size_t)kt_comm_size(t->comm)),
        .most_seats = kt_arrangement_seats(&t->spec)};
    t->tried.times.n = kt_arrangements(&t->config->arrangement, &from, t->tried.times.each);
    kt_status status = kt_trainer_build_arrangement(t, &t->tried.times.each[0]);
    while (cannot_be(status) && t->tried.times.current + 1 < t->tried.times.n) {
        leave_out(t, t->tried.times.current);
        status = kt_trainer_build_arrangement(t, &t->tried.times.each[++t->tried.times.current]);
    }
    begin(t);
    return status;
}

/* ---- watching ---- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of the last steps. */
static double median(const kt_arrangements_tried *tried)
{
    double steps[KT_WATCHED_STEPS] = {0};
    const size_t n = kt_smaller(tried->n_steps - WARM_STEPS, KT_WATCHED_STEPS);
    for (size_t i = 0; i < n; i++)
        steps[i] = tried->steps[(tried->n_steps - 1 - i) % KT_WATCHED_STEPS];
    qsort(steps, n, sizeof *steps, by_size);
    return steps[n / 2];
}

static bool is_worth_it(const kt_trainer *t, double step_seconds)
{
    const double epochs = (double)(t->config->train.epochs - t->state.progress.epoch);
    double left = epochs * (double)t->batches.sizes.steps;
    if (t->config->train.max_steps > 0)
        left = fmin(left, (double)(t->config->train.max_steps - t->state.progress.step));
    return left * step_seconds > WORTH_SECONDS;
}

/* So long a step of the present arrangement takes; what comes next, all ranks decide when they have met. */
static void pass_verdict(kt_trainer *t, double seconds)
{
    kt_arrangements_tried *tried = &t->tried;
    if (!tried->tries) {
        tried->trying_seconds = kt_timer_seconds();
        kt_arrangement_forget(&tried->times);
    }
    kt_arrangement_note(&tried->times, seconds);
    tried->tries = true;
    tried->soon = false;
    tried->n_slow = 0;
    kt_replica_say(&t->replica, KT_WORD_ARRANGE);
}

/* At the one that was found to be the fastest. */
static void look_again(kt_trainer *t, double seconds)
{
    kt_arrangements_tried *tried = &t->tried;
    const bool slow = seconds > SLOW * tried->times.seconds[tried->times.current];
    tried->n_slow = slow ? tried->n_slow + 1 : 0;
    if ((tried->n_slow >= SLOW_LOOKS || kt_timer_seconds() > tried->due_seconds) && is_worth_it(t, seconds))
        pass_verdict(t, seconds);
    else
        begin(t);
}

void kt_trainer_try_arrangements(kt_trainer *t)
{
    t->tried.soon = t->tried.times.n > 1;
}

bool kt_trainer_has_tried(const kt_trainer *t)
{
    return !t->tried.soon && !t->tried.tries;
}

/* How long an arrangement is watched before a verdict: the first, one that is tried, and then the fastest. */
static double watch_seconds(const kt_arrangements_tried *tried)
{
    if (tried->tries || tried->soon)
        return TRY_SECONDS;
    return tried->times.seconds[tried->times.current] == 0 ? FIRST_SECONDS : LOOK_SECONDS;
}

/* A step has ended; now and then that says how the arrangement does. */
void kt_trainer_watch_steps(kt_trainer *t)
{
    kt_arrangements_tried *tried = &t->tried;
    if (tried->times.n == 1 || t->rearranges)
        return;
    const double now = kt_timer_seconds();
    tried->steps[tried->n_steps++ % KT_WATCHED_STEPS] = now - tried->last_seconds;
    tried->last_seconds = now;
    if (KT_TEST_ASKS("arrange")) {
        pass_verdict(t, 1);
        return;
    }
    if (tried->n_steps < WARM_STEPS + TRY_STEPS || now - tried->start_seconds < watch_seconds(tried))
        return;
    const double seconds = median(tried);
    if (tried->tries || tried->soon)
        pass_verdict(t, seconds);
    else if (tried->times.seconds[tried->times.current] > 0)
        look_again(t, seconds);
    else if (is_worth_it(t, seconds))
        pass_verdict(t, seconds);
    else
        begin(t);
}

/* ---- changing ---- */

/* What the ranks that worked tell those that slept. */
typedef struct news {
    kt_run_state state;
    kt_stop_reason reason;
    kt_arrangements_tried tried;
    int64_t saved_step, saved_best_epoch;
    bool asked, rearranges;
} news;

kt_status kt_trainer_meet(kt_trainer *t, kt_status status, kt_stop_reason *reason)
{
    const size_t n_ranks = (size_t)kt_comm_size(t->comm);
    if (t->tried.times.each[t->tried.times.current].n_ranks < n_ranks)
        kt_comm_barrier_asleep(t->comm);
    status = kt_comm_agree(t->comm, status);
    if (n_ranks == 1)
        return status;
    news n;
    memset(&n, 0, sizeof n); /* also what lies between its members: it is sent */
    n.state = t->state;
    n.reason = *reason;
    n.tried = t->tried;
    n.saved_step = t->saved_step;
    n.saved_best_epoch = t->saved_best_epoch;
    n.asked = t->asked;
    n.rearranges = t->rearranges;
    kt_comm_broadcast(t->comm, 0, &n, sizeof n);
    t->state = n.state;
    *reason = n.reason;
    t->tried = n.tried;
    t->saved_step = n.saved_step;
    t->saved_best_epoch = n.saved_best_epoch;
    t->asked = n.asked;
    t->rearranges = n.rearranges;
    return status;
}

/* Rank 0's vectors, while the memory that they are in changes. */
typedef struct carried {
    float *parameters[1 + KT_MAX_SLOTS], *state;
} carried;

static void copy_vectors(const kt_tensors *all, float *const *kept, bool back)
{
    for (size_t k = 0; k < all->n_vectors; k++)
        memcpy(back ? all->vector[k] : kept[k], back ? kept[k] : all->vector[k], all->room * sizeof(float));
}

static kt_status take_away(kt_trainer *t, carried *c)
{
    const kt_tensors *parameters = kt_network_parameters(t->network), *state = kt_network_state(t->network);
    kt_status status = KT_OK;
    kt_trainer_settle_saving(t); /* it looks at this network's tensors */
    kt_exchange_gather_state(t->exchange);
    for (size_t k = 0; k < parameters->n_vectors && t->root && status == KT_OK; k++)
        status = KT_NEW(c->parameters[k], parameters->room);
    if (t->root && status == KT_OK)
        status = KT_NEW(c->state, state->room);
    KT_TRY(kt_comm_agree(t->work, status));
    if (t->root) {
        copy_vectors(parameters, c->parameters, false);
        copy_vectors(state, &c->state, false);
    }
    return KT_OK;
}

static void bring_back(kt_trainer *t, carried *c)
{
    if (!t->works)
        return;
    kt_network_touch(t->network);
    kt_replica_barrier(&t->replica); /* nobody of rank 0's team zeroes what it brings */
    if (t->root) {
        copy_vectors(kt_network_parameters(t->network), c->parameters, true);
        copy_vectors(kt_network_state(t->network), &c->state, true);
    }
    kt_replica_spread_network(&t->replica, t->network);
    kt_pool_settle(t->replica.pool);
}

static void free_carried(carried *c)
{
    for (size_t k = 0; k <= KT_MAX_SLOTS; k++)
        kt_memory_free(c->parameters[k]);
    kt_memory_free(c->state);
}

/* All were tried: which it is, is said when it is news. */
static void settle(kt_trainer *t)
{
    char text[80];
    kt_arrangements_tried *tried = &t->tried;
    const double now = kt_timer_seconds();
    tried->due_seconds = now + fmax(PAUSE_SECONDS, (now - tried->trying_seconds) / SHARE);
    if (tried->fastest == tried->times.current + 1)
        return;
    tried->fastest = tried->times.current + 1;
    kt_arrangement_describe(&tried->times.each[tried->times.current], text, sizeof text);
    kt_log_line(t->log, "ranks  %s: %.4g us a step, the fastest of", text,
                1e6 * tried->times.seconds[tried->times.current]);
    for (size_t i = 0; i < tried->times.n; i++) {
        kt_arrangement_describe(&tried->times.each[i], text, sizeof text);
        if (i != tried->times.current && isfinite(tried->times.seconds[i]))
            kt_log_line(t->log, "         %s: %.4g us", text, 1e6 * tried->times.seconds[i]);
    }
}

/* What cannot be made is not tried again, and the one before, which could, comes back. */
static kt_status change_to(kt_trainer *t, size_t next)
{
    carried c = {0};
    kt_status status = kt_comm_agree(t->comm, t->works ? take_away(t, &c) : KT_OK);
    if (cannot_be(status)) { /* nothing has changed */
        leave_out(t, next);
        free_carried(&c);
        return KT_OK;
    }
    if (status == KT_OK) {
        kt_trainer_free_arrangement(t);
        status = kt_trainer_build_arrangement(t, &t->tried.times.each[next]);
        if (cannot_be(status)) {
            leave_out(t, next);
            next = t->tried.times.current;
            status = kt_trainer_build_arrangement(t, &t->tried.times.each[next]);
        }
    }
    if (status == KT_OK) {
        t->tried.times.current = next;
        bring_back(t, &c);
    }
    free_carried(&c);
    return status;
}

kt_status kt_trainer_rearrange(kt_trainer *t)
{
    bool found;
    const size_t next = kt_arrangement_next(&t->tried.times, &found);
    if (t->works)
        kt_replica_forget(&t->replica, KT_WORD_ARRANGE);
    if (next != t->tried.times.current)
        KT_TRY(change_to(t, next));
    t->rearranges = false;
    t->tried.tries = !found;
    if (found)
        settle(t);
    begin(t);
    return KT_OK;
}
