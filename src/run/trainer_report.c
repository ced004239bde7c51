/* What a trainer tells of its work before it begins. */
#include "base/memory.h"
#include "edge/linalg.h"
#include "run/trainer_private.h"

static void report_model(const kt_trainer *t)
{
    kt_text_buffer hidden = {0};
    kt_options_format(kt_options_find(kt_config_options(), "model", "hidden"), t->config, &hidden);
    kt_log_line(t->log, "model  %zu-%s-%zu, %zu parameters", kt_network_n_in(t->network), hidden.bytes,
                kt_network_n_classes(t->network), kt_network_n_parameters(t->network));
    kt_memory_free(hidden.bytes);
}

void kt_trainer_report(const kt_trainer *t)
{
    report_model(t);
    const kt_replica *r = &t->replica;
    const kt_batch_sizes *sizes = &t->batches.sizes;
    const kt_kernels *kernels = kt_network_pass(t->network, (kt_rows){.M = sizes->each}).kernels;
    char exchange[128], last[80];
    kt_batches_describe_last(sizes, last, sizeof last);
    kt_log_line(t->log, "work   batch of %zu%s, products by %s%s", sizes->each, last,
                kernels != NULL ? "own kernels, " : "OpenBLAS, ",
                kernels != NULL ? kt_simd_rows[kernels->simd].name : kt_linalg_core());
    if (kt_comm_size(t->comm) == 1)
        return;
    if (r->n_replicas == 1) {
        kt_log_line(t->log, "       %zu ranks share one copy of the weights", r->team.n_seats);
        return;
    }
    kt_exchange_plan_describe(&t->plan, exchange, sizeof exchange);
    kt_log_line(t->log, "       %zu copies of the weights, %zu rank%s each at most, on %zu host%s; exchange: %s",
                r->n_replicas, r->team.n_seats, r->team.n_seats == 1 ? "" : "s", r->n_hosts, r->n_hosts == 1 ? "" : "s",
                exchange);
    if (t->plan.link.bytes_per_second > 0)
        kt_log_line(t->log, "       link measured: %.1f us, %.2f GB/s", 1e6 * t->plan.link.latency_seconds,
                    1e-9 * t->plan.link.bytes_per_second);
}
