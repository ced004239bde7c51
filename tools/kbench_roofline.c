/* What a step has to do at least, by counting, and how fast the machine could do that. */
#include "kbench.h"

/* The products of a dense layer are 2 flops a weight and sample: forward, gradient and, but for the first layer,
 * backward. Each replica reads the weights once forward and once backward. By some exchanges every replica forms and
 * applies the whole gradient, by others a slice: w and the optimizer's vectors are read and written.
 * Activations, gradients that are kept, and what is sent are not counted: this is a floor. */
static void count_layer(const kt_exchange_plan *plan, const kt_layout *layout, size_t l, kt_bench_need *need)
{
    const kt_layer_shape shape = plan->shape[l];
    const double weights = (double)shape.n_in * (double)shape.n_out, R = (double)need->n_replicas;
    const double product = 2 * weights * (double)plan->job.batch_size, reading = R * weights * sizeof(float);
    const kt_exchange_cost cost = plan->kind[l]->cost(&kt_machine_typical, layout, &plan->job, shape);
    need->flops[KT_BENCH_FORWARD] += product;
    need->bytes[KT_BENCH_FORWARD] += reading;
    need->flops[KT_BENCH_BACKWARD] += l > 0 ? product : 0;
    need->bytes[KT_BENCH_BACKWARD] += l > 0 ? reading : 0;
    need->flops[KT_BENCH_EXCHANGE] += cost.updates * product;
    need->bytes[KT_BENCH_EXCHANGE] +=
        cost.updates * (weights + (double)shape.n_out) * (8 + 8 * (double)plan->job.n_slots);
    need->sent_bytes += R > 1 ? cost.total_bytes : 0;
}

kt_bench_need kt_bench_case_need(const kt_bench_case *c)
{
    const kt_exchange_plan *plan = kt_trainer_plan(c->trainer);
    const kt_replica *replica = kt_trainer_replica(c->trainer);
    kt_bench_need need = {.n_parameters = kt_network_parameters(kt_trainer_network(c->trainer))->n_elements,
                          .n_layers = plan->n_layers,
                          .n_replicas = replica->n_replicas,
                          .ranks_per_replica = replica->team.n_seats};
    const kt_layout layout = {.n_hosts = replica->n_hosts,
                              .n_ranks = (size_t)c->group->n_ranks,
                              .ranks_per_replica = replica->team.n_seats,
                              .n_replicas = replica->n_replicas};
    for (size_t l = 0; l < need.n_layers; l++)
        count_layer(plan, &layout, l, &need);
    for (size_t k = 0; k < kt_n_exchange_kinds; k++)
        need.layers_by[k] = kt_exchange_plan_count(plan, kt_exchange_kinds[k]);
    need.data_bytes = (double)(need.n_replicas * need.n_parameters * (1 + plan->job.n_slots) * sizeof(float));
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
