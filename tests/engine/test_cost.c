/* What a step costs: layouts and bytes against cases computed by hand, seconds by what they must do. */
#include <math.h>
#include <string.h>

#include "engine/exchange.h"
#include "test.h"

const char *const kt_test_suite = "cost";

static const kt_layer_shape small = {3, 2}; /* 8 parameters; in a panel 208 floats, of which each is 26 */
static const kt_layer_shape wide[] = {{784, 5000}, {5000, 5000}, {5000, 49}};
enum { N_WIDE = 3, FLOAT = 4, PANELS = 26 * FLOAT };

static kt_exchange_job job_of(size_t batch_size)
{
    return (kt_exchange_job){.batch_size = batch_size, .n_shards = 8, .n_slots = 2, .reproducible = true};
}

/* One rank a replica, on one host. */
static kt_layout single(size_t n_ranks)
{
    return kt_cost_layout(n_ranks, 1, 1);
}

static kt_exchange_cost cost_of(const char *name, const kt_machine *machine, const kt_layout *layout,
                                const kt_exchange_job *job, kt_layer_shape layer)
{
    size_t k = 0;
    while (strcmp(kt_exchange_kinds[k]->name, name) != 0)
        k++;
    return kt_exchange_kinds[k]->cost(machine, layout, job, layer);
}

static kt_exchange_cost factors(size_t n_ranks, kt_exchange_job job, kt_layer_shape layer)
{
    const kt_layout layout = single(n_ranks);
    return cost_of("factors", &kt_machine_typical, &layout, &job, layer);
}

static kt_exchange_cost allreduce(size_t n_ranks, kt_exchange_job job, kt_layer_shape layer)
{
    const kt_layout layout = single(n_ranks);
    return cost_of("allreduce", &kt_machine_typical, &layout, &job, layer);
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fabs(b);
}

/* ---- layouts ---- */

static void ranks_are_laid_out_as_replicas_are(void)
{
    /* ranks, hosts, asked for (0: all of a host); then hosts used, largest replica, replicas */
    static const size_t cases[][6] = {
        {1, 1, 0, 1, 1, 1}, {8, 1, 0, 1, 8, 1}, {8, 1, 1, 1, 1, 8},  {5, 1, 2, 1, 2, 3},
        {5, 1, 3, 1, 3, 2}, {5, 2, 0, 2, 3, 2}, {7, 2, 2, 2, 2, 4},  {6, 2, 4096, 2, 3, 2},
        {3, 8, 0, 3, 1, 3}, {9, 2, 4, 2, 4, 3}, {64, 8, 8, 8, 8, 8}, {4, 2, 1, 2, 1, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t *c = cases[i];
        const kt_layout layout = kt_cost_layout(c[0], c[1], c[2]);
        KT_CHECK(layout.n_ranks == c[0] && layout.n_hosts == c[3]);
        KT_CHECK(layout.ranks_per_replica == c[4] && layout.n_replicas == c[5]);
    }
}

/* ---- bytes ---- */

static void factors_send_each_row_to_every_other_replica(void)
{
    /* 16 rows of 3 inputs and 2 deltas; the busiest of 3 replicas has 3 of the 8 shards, which are 2 rows each */
    KT_CHECK(near(factors(2, job_of(16), small).total_bytes, 1 * 16 * 5 * FLOAT));
    KT_CHECK(near(factors(2, job_of(16), small).sent_bytes, 8 * 5 * FLOAT));
    KT_CHECK(near(factors(3, job_of(16), small).total_bytes, 2 * 16 * 5 * FLOAT));
    KT_CHECK(near(factors(3, job_of(16), small).sent_bytes, 2 * 6 * 5 * FLOAT));
    KT_CHECK(factors(2, job_of(16), small).messages == 2);
    /* 9 replicas for 8 shards: the last has no row */
    KT_CHECK(near(factors(9, job_of(16), small).total_bytes, 8 * 16 * 5 * FLOAT));
    KT_CHECK(near(factors(9, job_of(16), small).sent_bytes, 8 * 2 * 5 * FLOAT));
    /* 3 rows in 8 shards: one each for the first three */
    KT_CHECK(near(factors(2, job_of(3), small).sent_bytes, 3 * 5 * FLOAT));
    KT_CHECK(factors(1, job_of(16), small).total_bytes == 0);
}

static void allreduce_sends_partial_sums_and_parameters(void)
{
    kt_exchange_job job = job_of(16);
    /* 2 replicas, a partial sum each: half of it goes, and half of the parameters come back */
    KT_CHECK(near(allreduce(2, job, small).total_bytes, (2 * 4 + 8) * PANELS));
    KT_CHECK(near(allreduce(2, job, small).sent_bytes, (4 + 4) * PANELS));
    /* 4 replicas: 3/4 of the partial sum, and a quarter of the parameters to three */
    KT_CHECK(near(allreduce(4, job, small).total_bytes, (4 * 6 + 3 * 8) * PANELS));
    KT_CHECK(near(allreduce(4, job, small).sent_bytes, (6 + 3 * 2) * PANELS));
    /* 3 replicas of 3, 3 and 2 of 8 shards: shards 0-1 and 2, 3 and 4-5, 6-7 are 5 partial sums */
    KT_CHECK(near(allreduce(3, job, small).total_bytes, (5 * (8 - 8.0 / 3) + 2 * 8) * PANELS));
    KT_CHECK(near(allreduce(3, job, small).sent_bytes, (2 * (8 - 8.0 / 3) + 2 * 8.0 / 3) * PANELS));
    job.rank0 = true;
    /* the others' sums to the first, its parameters to the others; in the first's parts are all of its own */
    KT_CHECK(near(allreduce(2, job, small).total_bytes, (8 + 8) * PANELS));
    KT_CHECK(near(allreduce(3, job, small).total_bytes, (3 * 8 + 2 * 8) * PANELS));
    KT_CHECK(near(allreduce(3, job, small).sent_bytes, 2 * 8 * PANELS));
    KT_CHECK(allreduce(1, job, small).total_bytes == 0);
}

static void an_order_that_is_free_sends_one_sum_of_each_replica(void)
{
    kt_exchange_job job = job_of(16);
    job.reproducible = false;
    KT_CHECK(near(allreduce(3, job, small).total_bytes, (3 * (8 - 8.0 / 3) + 2 * 8) * PANELS));
}

static void clipping_sends_what_its_norm_comes_from(void)
{
    const kt_exchange_job job = job_of(16);
    kt_exchange_job clips = job;
    clips.clips = true;
    for (size_t n_ranks = 2; n_ranks <= 4; n_ranks *= 2) { /* the whole gradient, from its owners */
        const double more = ((double)n_ranks - 1) * 8 * PANELS, whole = allreduce(n_ranks, job, small).total_bytes;
        KT_CHECK(near(allreduce(n_ranks, clips, small).total_bytes, whole + more));
        KT_CHECK(factors(n_ranks, clips, small).total_bytes == factors(n_ranks, job, small).total_bytes);
    }
}

/* B (in + out) = 2 n, n the layer's floats in panels, where every replica makes one partial sum. For wide layers that
 * are hardly more than its parameters. */
static void factors_send_less_up_to_the_batch_of_the_inequality(void)
{
    static const kt_layer_shape shapes[] = {{5000, 5000}, {784, 128}, {128, 49}, {1, 1}, {7, 3000}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (size_t n_ranks = 2; n_ranks <= 8; n_ranks *= 2) {
            const double in = (double)shapes[i].n_in, out = (double)shapes[i].n_out;
            const size_t most = (size_t)(2 * kt_cost_floats(shapes[i]) / (in + out));
            KT_CHECK(kt_cost_floats(shapes[i]) >= kt_cost_parameters(shapes[i]));
            const double below = factors(n_ranks, job_of(most), shapes[i]).total_bytes;
            const double above = factors(n_ranks, job_of(most + 1), shapes[i]).total_bytes;
            const double whole = allreduce(n_ranks, job_of(16), shapes[i]).total_bytes;
            KT_CHECK(below <= whole && whole < above);
        }
    KT_CHECK(factors(2, job_of(221), shapes[1]).total_bytes < allreduce(2, job_of(221), shapes[1]).total_bytes);
    KT_CHECK(factors(2, job_of(222), shapes[1]).total_bytes > allreduce(2, job_of(222), shapes[1]).total_bytes);
}

/* ---- seconds ---- */

static double step_seconds(size_t n_ranks, size_t batch_size)
{
    const kt_layout layout = kt_cost_layout(n_ranks, 1, 0);
    const kt_exchange_job job = job_of(batch_size);
    const kt_step_cost c = kt_cost_step(&kt_machine_typical, &layout, &job, wide, N_WIDE);
    return c.forward_seconds + c.backward_seconds + c.update_seconds + c.letter_seconds;
}

/* Until the host's memory is what they wait for. */
static void a_step_falls_with_the_ranks(void)
{
    KT_CHECK(step_seconds(2, 16) < step_seconds(1, 16));
    for (size_t n = 1; n < 8; n *= 2) {
        KT_CHECK(step_seconds(2 * n, 16) < 1.001 * step_seconds(n, 16));
        KT_CHECK(step_seconds(2 * n, 1000) < 0.55 * step_seconds(n, 1000));
    }
    const double n_bytes = 4.0 * (785 * 5000 + 2 * 5001 * 5000 + 5001 * 49); /* at least: every weight read once */
    KT_CHECK(step_seconds(1000, 1) > n_bytes / kt_machine_typical.memory_bytes);
}

static void one_rank_waits_for_nobody(void)
{
    const kt_layout alone = single(1), two = kt_cost_layout(2, 1, 0);
    const kt_exchange_job job = job_of(16);
    KT_CHECK(kt_cost_step(&kt_machine_typical, &alone, &job, wide, N_WIDE).letter_seconds == 0);
    KT_CHECK(kt_cost_step(&kt_machine_typical, &two, &job, wide, N_WIDE).letter_seconds > 0);
}

static void hosts_pay_for_the_network_and_neighbours_do_not(void)
{
    const kt_layout here = kt_cost_layout(2, 1, 1), apart = kt_cost_layout(2, 2, 1);
    const kt_exchange_job job = job_of(16);
    kt_machine slow = kt_machine_typical;
    slow.network.bytes_per_second /= 10;
    for (size_t l = 0; l < N_WIDE; l++) {
        const kt_exchange_cost near_by = cost_of("allreduce", &slow, &here, &job, wide[l]);
        const kt_exchange_cost far = cost_of("allreduce", &kt_machine_typical, &apart, &job, wide[l]);
        const kt_exchange_cost slower = cost_of("allreduce", &slow, &apart, &job, wide[l]);
        KT_CHECK(near_by.seconds < far.seconds && far.seconds < slower.seconds);
        KT_CHECK(near_by.total_bytes == far.total_bytes && far.total_bytes == slower.total_bytes);
        const double tenfold = 9 * far.sent_bytes / kt_machine_typical.network.bytes_per_second;
        KT_CHECK(fabs(slower.seconds - far.seconds - tenfold) <= 1e-9 * slower.seconds);
    }
}

/* 600 weights and 480: each rank has all of them. */
static void small_layers_cost_each_rank_the_same(void)
{
    static const kt_layer_shape layers[] = {{20, 30}, {30, 16}};
    const kt_exchange_job job = job_of(1000);
    const kt_layout one = single(1), many = kt_cost_team(4, 2);
    const kt_step_cost a = kt_cost_step(&kt_machine_typical, &one, &job, layers, 2);
    const kt_step_cost b = kt_cost_step(&kt_machine_typical, &many, &job, layers, 2);
    KT_CHECK(a.forward_seconds == b.forward_seconds && a.backward_seconds == b.backward_seconds);
    KT_CHECK(a.update_seconds == b.update_seconds && b.letter_seconds == 0);
}

static double across_hosts(double bytes_per_second)
{
    const kt_layout team = kt_cost_team(2, 2);
    const kt_exchange_job job = job_of(16);
    kt_machine m = kt_machine_typical;
    m.network.bytes_per_second = bytes_per_second;
    const kt_step_cost c = kt_cost_step(&m, &team, &job, wide, N_WIDE);
    return c.forward_seconds + c.backward_seconds + c.update_seconds + c.letter_seconds;
}

/* Half of the weights each. Letters: 5000 outputs of two layers and the derivatives of 5000 inputs, of which half comes
 * from the other host; and of the last layer, too. */
static void a_team_on_two_hosts_halves_what_memory_costs(void)
{
    KT_CHECK(across_hosts(1e12) < 0.51 * step_seconds(1, 16));
    const double n_bytes = 4 * 16 * 0.5 * (5000 + 5000 + 5000 + 49 + 5000);
    KT_CHECK(near(across_hosts(1e6) - across_hosts(2e6), n_bytes / 2e6));
}

/* The wide net at batch 16 over a slow network, and a batch that is most of a small layer's input. */
static void the_cheaper_exchange_is_the_one_that_is_expected(void)
{
    const kt_layout apart = kt_cost_layout(2, 2, 1);
    const kt_exchange_job thin = job_of(16), full = job_of(60000);
    const kt_machine *m = &kt_machine_typical;
    KT_CHECK(20 * cost_of("factors", m, &apart, &thin, wide[1]).seconds <
             cost_of("allreduce", m, &apart, &thin, wide[1]).seconds);
    KT_CHECK(cost_of("factors", m, &apart, &full, small).seconds >
             20 * cost_of("allreduce", m, &apart, &full, small).seconds);
}

const kt_test kt_tests[] = {
    {"ranks are laid out as replicas are: hosts filled evenly, groups of at most so many",
     ranks_are_laid_out_as_replicas_are},
    {"by factors each row goes to every other replica", factors_send_each_row_to_every_other_replica},
    {"by allreduce partial sums go to their owners and parameters to all", allreduce_sends_partial_sums_and_parameters},
    {"with a free order each replica sends one sum", an_order_that_is_free_sends_one_sum_of_each_replica},
    {"clipping sends what its norm comes from", clipping_sends_what_its_norm_comes_from},
    {"factors send less up to the batch of the inequality", factors_send_less_up_to_the_batch_of_the_inequality},
    {"a step never rises with the ranks of a host, and halves where arithmetic counts", a_step_falls_with_the_ranks},
    {"one rank waits for nobody", one_rank_waits_for_nobody},
    {"hosts pay for the network between them, and neighbours do not", hosts_pay_for_the_network_and_neighbours_do_not},
    {"layers that every rank has whole cost each the same", small_layers_cost_each_rank_the_same},
    {"a team on two hosts halves what memory costs, and pays for its letters",
     a_team_on_two_hosts_halves_what_memory_costs},
    {"the exchange that is expected is the cheaper one", the_cheaper_exchange_is_the_one_that_is_expected},
    {NULL, NULL},
};
