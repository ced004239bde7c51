/* check: what a job is, what it needs, and what ranks would bring, without running it. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/shards.h"
#include "base/share.h"
#include "cli/command.h"
#include "cli/flags.h"
#include "engine/config.h"
#include "engine/data.h"
#include "engine/data_check.h"
#include "engine/forecast.h"
#include "input/batches.h"
#include "run/trainer.h"

typedef struct check_arguments {
    size_t n_ranks, n_hosts;
    bool says_ranks;
    double gigabits, microseconds; /* of the network between hosts; 0: typical */
} check_arguments;

static double mebibytes(size_t n_bytes)
{
    return (double)n_bytes / (1 << 20);
}

static kt_status parse_number(const char *name, const char *text, double *out)
{
    const double most = 1e6;
    char *end;
    if (text == NULL)
        return KT_OK;
    *out = strtod(text, &end);
    if (end == text || *end != '\0' || !(*out > 0 && *out <= most))
        return kt_fail(KT_USAGE, "check: --%s %s: must be a number above 0, at most %g", name, text, most);
    return KT_OK;
}

static kt_status parse(int argc, char **argv, check_arguments *a, int *first)
{
    const char *ranks = NULL, *hosts = NULL, *bandwidth = NULL, *latency = NULL;
    const kt_flag flags[] = {{"ranks", .value = &ranks},
                             {"hosts", .value = &hosts},
                             {"bandwidth", .value = &bandwidth},
                             {"latency", .value = &latency}};
    KT_TRY(kt_flags_take(argc, argv, sizeof flags / sizeof flags[0], flags, first));
    KT_TRY(kt_flags_count("check", "ranks", ranks, &a->n_ranks));
    KT_TRY(kt_flags_count("check", "hosts", hosts, &a->n_hosts));
    KT_TRY(parse_number("bandwidth", bandwidth, &a->gigabits));
    KT_TRY(parse_number("latency", latency, &a->microseconds));
    a->says_ranks = ranks != NULL;
    return *first < argc
               ? KT_OK
               : kt_fail(KT_USAGE,
                         "check takes a configuration: ktrain check CONFIG.ini (ktrain check --help says more)");
}

/* Without --ranks they are those that the job wants. */
static kt_status settle_ranks(const kt_config *config, check_arguments *a)
{
    const int64_t wanted = config->arrangement.ranks;
    if (!a->says_ranks && wanted > (int64_t)a->n_ranks)
        a->n_ranks = (size_t)wanted;
    if (a->n_hosts > a->n_ranks)
        return kt_fail(KT_USAGE, "check: %zu hosts for %zu ranks: must not be more", a->n_hosts, a->n_ranks);
    return kt_arrangement_check(&config->arrangement, a->n_ranks);
}

static kt_status describe(const kt_config *config, const kt_data *data, const check_arguments *a, kt_forecast *j)
{
    KT_TRY(kt_forecast_create(j, config, data, a->n_ranks, a->n_hosts));
    if (a->gigabits > 0)
        j->machine.network.bytes_per_second = a->gigabits * 1e9 / 8;
    if (a->microseconds > 0)
        j->machine.network.latency_seconds = a->microseconds * 1e-6;
    return KT_OK;
}

/* One line a layer: what each exchange would send, and which it is. Returns all bytes of a step. */
static double print_exchange(const kt_forecast *j, const kt_layout *layout, kt_log *log)
{
    double total = 0;
    char columns[16 * KT_MOST_EXCHANGE_KINDS];
    for (size_t k = 0, n = 0; k < kt_n_exchange_kinds; k++)
        n += (size_t)snprintf(columns + n, sizeof columns - n, " %14s", kt_exchange_kinds[k]->name);
    kt_log_line(log, "exchange              %-14s%s   choice", "layer", columns);
    for (size_t l = 0; l < j->plan.n_layers; l++) {
        const kt_exchange_kind *choice =
            kt_exchange_kind_for(&j->plan.spec, &j->machine, layout, &j->plan.job, j->plan.shape[l]);
        char shape[40];
        snprintf(shape, sizeof shape, "%zu x %zu", j->plan.shape[l].n_in, j->plan.shape[l].n_out);
        for (size_t k = 0, n = 0; k < kt_n_exchange_kinds && n < sizeof columns; k++) {
            const kt_exchange_kind *kind = kt_exchange_kinds[k];
            const double n_bytes = kind->cost(&j->machine, layout, &j->plan.job, j->plan.shape[l]).total_bytes;
            n += (size_t)snprintf(columns + n, sizeof columns - n, " %14.0f", n_bytes);
            total += kind == choice ? n_bytes : 0;
        }
        kt_log_line(log, "  bytes a step        %-14s%s   %s", shape, columns, choice->name);
    }
    return total;
}

/* The sums of the loss go round once per step, those of batch norm three times (mean, variance, and two in
 * backward). */
static double sums_bytes(const kt_forecast *j, const kt_layout *layout)
{
    double doubles = sizeof(kt_shard_result) / sizeof(double);
    for (size_t l = 0; j->spec.batch_norm && l < j->spec.hidden.n; l++)
        doubles += 4 * (double)(kt_panels_count((size_t)j->spec.hidden.values[l]) * KT_PANEL);
    return ((double)layout->n_replicas - 1) * (double)j->plan.job.n_shards * doubles * sizeof(double);
}

/* What the ranks of a host lay out together, in bytes. */
typedef struct host_bytes {
    size_t all, optimizer, activations, letters, exchange, n_ranks;
    kt_trainer_room first; /* rank 0's */
} host_bytes;

/* As a run would: its place, its exchange, its room. */
static kt_status add_rank(const kt_forecast *j, const kt_layout *layout, size_t rank, host_bytes *host)
{
    const kt_config *config = j->config;
    const kt_replica replica = kt_replica_sketch(layout, rank);
    kt_exchange_plan plan;
    kt_trainer_room room = {0};
    kt_status status =
        kt_exchange_plan_create(&plan, &config->exchange, &config->optimizer, &j->spec, layout, replica.number);
    if (status == KT_OK)
        status = kt_exchange_plan_choose(&plan, &j->machine);
    if (status == KT_OK)
        status = kt_trainer_measure(&j->spec, &replica.team, &plan, &room);
    kt_exchange_plan_free(&plan);
    const kt_replica_bytes bytes = kt_replica_measure(&replica, &room.replica);
    host->all += kt_replica_charge(&replica, &bytes);
    host->letters += replica.first || replica.spans ? bytes.letters : 0;
    host->optimizer += replica.first ? j->plan.job.n_slots * room.best_bytes : 0;
    host->exchange += replica.first ? room.exchange_bytes : 0;
    host->activations += room.network.rank_bytes;
    if (rank == 0)
        host->first = room;
    return status;
}

/* Of the first host, which has no fewer ranks than another. */
static kt_status print_memory(const kt_forecast *j, const kt_data *data, const kt_layout *layout, kt_log *log)
{
    const kt_config *config = j->config;
    host_bytes h = {.n_ranks = kt_share(layout->n_ranks, 0, layout->n_hosts).end};
    for (size_t rank = 0; rank < h.n_ranks; rank++)
        KT_TRY(add_rank(j, layout, rank, &h));
    const size_t set = data->set.n * (data->set.d * kt_type_bytes(data->set.type) + sizeof(int32_t));
    kt_log_line(
        log,
        "memory of a host      %zu bytes laid out by %zu rank%s: parameters %.1f MiB, optimizer %.1f, activations "
        "%.1f, letters %.1f, exchange %.1f",
        h.all, h.n_ranks, h.n_ranks == 1 ? "" : "s",
        mebibytes(h.all - h.optimizer - h.activations - h.letters - h.exchange), mebibytes(h.optimizer),
        mebibytes(h.activations), mebibytes(h.letters), mebibytes(h.exchange));
    const bool takes = config->checkpoint.snapshots[0] == '/';
    kt_log_line(
        log,
        "  and                 data %.1f MiB, %s %.1f; for moments, while ranks are rearranged, %.1f; each rank's "
        "own, 5 to 10",
        mebibytes(set), takes ? "snapshots and best weights" : "best weights",
        mebibytes(takes ? h.first.snapshot_bytes : h.first.best_bytes), mebibytes(h.first.state_bytes));
    return KT_OK;
}

/* Ranks that bring less than half of what they could are better used otherwise. */
static void print_advice(const kt_forecast *j, size_t n_ranks, double seconds, kt_log *log)
{
    const kt_layout alone = kt_forecast_layout(j, 1, 1);
    const double one = kt_forecast_step(j, &alone), gain = one / seconds;
    kt_log_line(log, "predicted step        %.3g ms (1 rank: %.3g ms), %.2f times as fast", 1e3 * seconds, 1e3 * one,
                gain);
    if (n_ranks > 1 && gain < 0.5 * (double)n_ranks)
        kt_log_line(log,
                    "advice                use 1 rank, or a sweep with a trial per rank: %zu ranks would make a step "
                    "%.2f times as fast, %zu trials side by side would be %zu times the work",
                    n_ranks, gain, n_ranks, n_ranks);
}

/* Those that a run would try, as the model has them: what it does not know, the first steps show. Returns the fastest's
 * seconds. */
static double print_arrangements(const kt_forecast *j, const check_arguments *a, kt_log *log)
{
    kt_arrangement all[KT_MOST_ARRANGEMENTS];
    kt_layout layouts[KT_MOST_ARRANGEMENTS];
    const size_t n = kt_forecast_arrangements(j, a->n_ranks, a->n_hosts, all, layouts);
    size_t best = 0;
    double seconds[KT_MOST_ARRANGEMENTS] = {0};
    for (size_t i = 0; i < n; i++) {
        seconds[i] = kt_forecast_step(j, &layouts[i]);
        best = seconds[i] < seconds[best] ? i : best;
    }
    for (size_t i = 0; i < n && n > 1; i++) {
        char text[80];
        kt_arrangement_describe(&all[i], text, sizeof text);
        kt_log_line(log, "%-21s %s: %.3g ms%s", i == 0 ? "a run would try" : "", text, 1e3 * seconds[i],
                    i == best ? ", the fastest as predicted" : "");
    }
    return seconds[best];
}

static kt_status print_cost(const kt_forecast *j, const kt_data *data, const check_arguments *a, kt_log *log)
{
    const kt_layout layout = kt_forecast_layout(j, a->n_ranks, a->n_hosts);
    char last[80];
    kt_batches_describe_last(&j->batches, last, sizeof last);
    kt_log_line(log, "parameters            %zu", j->room.n_parameters);
    kt_log_line(log, "steps                 %zu an epoch of %zu samples, batch %zu%s", j->batches.steps, j->n_train,
                j->batches.each, last);
    kt_log_line(log, "ranks                 %zu on %zu host%s: %zu cop%s of the weights, shared by up to %zu rank%s",
                layout.n_ranks, layout.n_hosts, layout.n_hosts == 1 ? "" : "s", layout.n_replicas,
                layout.n_replicas == 1 ? "y" : "ies", layout.ranks_per_replica,
                layout.ranks_per_replica == 1 ? "" : "s");
    KT_TRY(print_memory(j, data, &layout, log));
    if (layout.n_replicas > 1) {
        const double bytes = print_exchange(j, &layout, log), sums = sums_bytes(j, &layout);
        kt_log_line(log, "moved in a step       %.0f bytes by all copies together, %.0f of them sums of the loss%s",
                    bytes + sums, sums, j->spec.batch_norm ? " and of batch norm" : "");
    } else {
        kt_log_line(log, "moved in a step       %s",
                    layout.n_hosts > 1 ? "activations and derivatives, between the hosts: all ranks work on one copy"
                                       : "0 bytes: all ranks work on one copy");
    }
    kt_log_line(log, "arithmetic of a step  %.3g GFLOP",
                6e-9 * (double)j->room.n_parameters * (double)j->plan.job.batch_size);
    print_advice(j, a->n_ranks, print_arrangements(j, a, log), log);
    return KT_OK;
}

static kt_status run(kt_comm *world, int argc, char **argv, kt_log *log)
{
    kt_config config;
    kt_data data;
    char *text;
    int first;
    check_arguments a = {.n_ranks = (size_t)kt_comm_size(world), .n_hosts = 1};
    KT_TRY(parse(argc, argv, &a, &first));
    KT_TRY(kt_config_read(world, argv[first], (size_t)(argc - first - 1), argv + first + 1, &config));
    KT_TRY(settle_ranks(&config, &a));
    KT_TRY(kt_data_load(world, &config, &data));
    kt_status status = kt_options_write_ini(kt_config_options(), &config, &text);
    if (status == KT_OK) {
        kt_log_text(log, text);
        kt_log_line(log, "%s", "");
        kt_memory_free(text);
        status = kt_data_summary(&data, &config, &text);
    }
    if (status == KT_OK) {
        kt_forecast j;
        kt_log_text(log, text);
        kt_memory_free(text);
        kt_config_report_gone(&config, log);
        kt_data_report_notes(&data, &config, log);
        status = describe(&config, &data, &a, &j);
        if (status == KT_OK)
            status = print_cost(&j, &data, &a, log);
        kt_forecast_free(&j);
    }
    kt_data_free(&data);
    return status;
}

const kt_command kt_command_check = {
    .name = "check",
    .arguments = "CONFIG.ini [--ranks N] [--hosts H] [--bandwidth G] [--latency U] [section.key=value ...]",
    .summary = "show what a job would do and cost, without running it",
    .help = "Prints the resolved configuration, the parameters, the memory of a host, the bytes that a step moves with "
            "either\n"
            "exchange and the choice for each layer, and a predicted step, from the figures of a typical machine and "
            "network.\n"
            "The data files are read and checked; nothing is written.\n"
            "\n"
            "  --ranks N           as if started on N ranks (default: the ranks it is started on)\n"
            "  --hosts H           spread over H hosts (default: 1)\n"
            "  --bandwidth G       of the network between hosts, in Gbit/s (default: 0.88, what 1 Gbit/s gives)\n"
            "  --latency U         of it, in microseconds (default: 30)\n",
    .run = run,
};
