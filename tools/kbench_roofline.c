/* What a step has to do at least, by counting, and how fast the machine could do that. */
#include "kbench.h"

/* The products of a dense layer are 2 flops a weight and sample: forward, gradient and, but for the first layer,
 * backward. Each replica reads the weights once forward and once backward. Where a gradient goes by factors every
 * replica forms and applies the whole of it, else one slice: w and the optimizer's vectors are read and written.
 * Activations, gradients that are kept, and what is sent are not counted: this is a floor. */
static void count_layer(const kt_bench_case *c, size_t l, const kt_factors *f, kt_bench_need *need)
{
    const kt_exchange_plan *plan = kt_trainer_plan(c->trainer);
    const double weights = (double)f->dense.n_in * (double)f->dense.n_out, R = (double)need->n_replicas;
    const double product = 2 * weights * (double)plan->batch_size, reading = R * weights * sizeof(float);
    const double times = plan->by_factors[l] ? R : 1;
    need->flops[KT_BENCH_FORWARD] += product;
    need->bytes[KT_BENCH_FORWARD] += reading;
    need->flops[KT_BENCH_BACKWARD] += l > 0 ? product : 0;
    need->bytes[KT_BENCH_BACKWARD] += l > 0 ? reading : 0;
    need->flops[KT_BENCH_EXCHANGE] += times * product;
    need->bytes[KT_BENCH_EXCHANGE] += times * (weights + (double)f->dense.n_out) * (8 + 8 * (double)plan->n_slots);
    need->n_by_factors += plan->by_factors[l];
}

static double sent_bytes(const kt_bench_case *c, size_t l, kt_layer_shape shape)
{
    const kt_exchange_plan *plan = kt_trainer_plan(c->trainer);
    const kt_replica *replica = kt_trainer_replica(c->trainer);
    const kt_layout layout = {.n_hosts = replica->n_hosts,
                              .n_ranks = (size_t)c->group->n_ranks,
                              .ranks_per_replica = replica->team.n_seats,
                              .n_replicas = replica->n_replicas};
    const kt_exchange_job job = {.batch_size = plan->batch_size,
                                 .n_shards = plan->n_shards,
                                 .n_slots = plan->n_slots,
                                 .reproducible = c->config.parallel.reproducible,
                                 .rank0 = plan->rank0,
                                 .clips = c->config.train.clip_norm > 0,
                                 .thin = plan->batch_size <= (size_t)c->config.model.thin_rows};
    if (replica->n_replicas == 1)
        return 0;
    return plan->by_factors[l] ? kt_cost_factors(&kt_machine_typical, &layout, &job, shape).total_bytes
                               : kt_cost_allreduce(&kt_machine_typical, &layout, &job, shape).total_bytes;
}

kt_bench_need kt_bench_case_need(const kt_bench_case *c)
{
    const kt_exchange_plan *plan = kt_trainer_plan(c->trainer);
    const kt_replica *replica = kt_trainer_replica(c->trainer);
    kt_bench_need need = {.n_parameters = plan->n_parameters,
                          .n_replicas = replica->n_replicas,
                          .ranks_per_replica = replica->team.n_seats};
    const kt_factors *factors = kt_network_factors(kt_trainer_network(c->trainer), &need.n_layers);
    for (size_t l = 0; l < need.n_layers; l++) {
        count_layer(c, l, &factors[l], &need);
        need.sent_bytes += sent_bytes(c, l, (kt_layer_shape){factors[l].dense.n_in, factors[l].dense.n_out});
    }
    need.data_bytes = (double)(need.n_replicas * plan->n_parameters * (1 + plan->n_slots) * sizeof(float));
    return need;
}

kt_bench_roofline kt_bench_case_roofline(const kt_bench_case *c)
{
    const kt_bench_machine *machine = &c->group->machine;
    const double peak = kt_bench_machine_peak(machine);
    const double read = kt_bench_machine_speed(machine, KT_BENCH_READ);
    const double update = kt_bench_machine_speed(machine, KT_BENCH_UPDATE);
    const double hosts = (double)kt_trainer_replica(c->trainer)->n_hosts;
    kt_bench_roofline line = {.cached = c->need.data_bytes / hosts <=
                                        kt_bench_cache_bytes((size_t)kt_comm_size(machine->host))};
    for (int t = KT_BENCH_FORWARD; t <= KT_BENCH_EXCHANGE; t++) {
        const double at_peak = c->need.flops[t] / peak;
        const double at_memory = line.cached ? 0 : c->need.bytes[t] / (t == KT_BENCH_EXCHANGE ? update : read);
        line.by_memory[t] = at_memory > at_peak;
        line.seconds[t] = line.by_memory[t] ? at_memory : at_peak;
        line.seconds[KT_BENCH_STEP] += line.seconds[t];
    }
    return line;
}
