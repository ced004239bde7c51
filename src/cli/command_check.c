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
    double gigabits, microseconds; /* of the network between hosts; 0: typical */
} check_arguments;

static double mebibytes(double n_bytes)
{
    return n_bytes / (1 << 20);
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
    if (a->n_hosts > a->n_ranks)
        return kt_fail(KT_USAGE, "check: %zu hosts for %zu ranks: must not be more", a->n_hosts, a->n_ranks);
    return *first < argc
               ? KT_OK
               : kt_fail(KT_USAGE,
                         "check takes a configuration: ktrain check CONFIG.ini (ktrain check --help says more)");
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
    for (size_t l = 0; l < j->n_layers; l++) {
        const kt_layer_costs c = kt_forecast_layer(j, layout, l);
        char shape[40];
        snprintf(shape, sizeof shape, "%zu x %zu", j->layers[l].n_in, j->layers[l].n_out);
        for (size_t k = 0, n = 0; k < kt_n_exchange_kinds && n < sizeof columns; k++)
            n += (size_t)snprintf(columns + n, sizeof columns - n, " %14.0f", c.each[k].total_bytes);
        kt_log_line(log, "  bytes a step        %-14s%s   %s", shape, columns, c.kind->name);
        total += c.cost.total_bytes;
    }
    return total;
}

/* The sums of the loss go round once per step, those of batch norm three times (mean, variance, and two in backward). */
static double sums_bytes(const kt_forecast *j, const kt_layout *layout)
{
    double doubles = sizeof(kt_shard_result) / sizeof(double);
    for (size_t l = 0; j->spec.batch_norm && l < j->spec.hidden.n; l++)
        doubles += 4 * (double)(kt_panels_count((size_t)j->spec.hidden.values[l]) * KT_PANEL);
    return ((double)layout->n_replicas - 1) * (double)j->exchange.n_shards * doubles * sizeof(double);
}

/* Of the first host. Pages that nobody touches do not count: the state and the sums of slices that others own. */
static void print_memory(const kt_forecast *j, const kt_data *data, const kt_layout *layout, kt_log *log)
{
    const double vector = (double)j->room.n_floats * sizeof(float), slots = (double)j->exchange.n_slots;
    const double n_here = kt_cost_replicas_here(layout), n_ranks = n_here * (double)layout->ranks_per_replica;
    const double network = (double)j->room.shared_bytes - slots * vector, rank = (double)j->room.rank_bytes;
    const double set = (double)(data->set.n * (data->set.d * kt_type_bytes(data->set.type) + sizeof(int32_t)));
    double optimizer = slots * n_here * vector, exchange = 0;
    for (size_t l = 0; l < j->n_layers; l++) {
        const kt_exchange_cost cost = kt_forecast_layer(j, layout, l).cost;
        const double layer = kt_cost_parameters(j->layers[l]) * sizeof(float);
        optimizer += slots * (cost.host_states - n_here) * layer;
        exchange += cost.host_sums * layer;
    }
    kt_log_line(
        log,
        "memory of a host      %.1f MiB: %.3g x network %.1f, %.0f x activations of a rank %.1f, optimizer %.1f, "
        "exchange %.1f, data %.1f; and each rank's own, 5 to 10",
        mebibytes(n_here * network + n_ranks * rank + optimizer + exchange + set), n_here, mebibytes(network), n_ranks,
        mebibytes(rank), mebibytes(optimizer), mebibytes(exchange), mebibytes(set));
    kt_log_line(log, "  and rank 0's        %.1f MiB best weights, %.1f more while a checkpoint is written",
                mebibytes(vector), mebibytes((2 + slots) * 2 * vector));
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

static void print_cost(const kt_forecast *j, const kt_data *data, const check_arguments *a, kt_log *log)
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
    print_memory(j, data, &layout, log);
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
                6e-9 * (double)j->room.n_parameters * (double)j->exchange.batch_size);
    print_advice(j, a->n_ranks, print_arrangements(j, a, log), log);
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
            print_cost(&j, &data, &a, log);
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
