/* What kbench says to programs. Times in seconds, speeds per second. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "build.h"
#include "edge/linalg.h"
#include "kbench.h"

static const char *const time_names[KT_BENCH_N_TIMES] = {
    [KT_BENCH_STEP] = "step",         [KT_BENCH_FORWARD] = "forward", [KT_BENCH_BACKWARD] = "backward",
    [KT_BENCH_EXCHANGE] = "exchange", [KT_BENCH_REST] = "rest",
};

static json_t *numbers(size_t n, const double *values)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, json_real(values[i]));
    return array;
}

static json_t *widths(const kt_bench_shape *shape)
{
    json_t *array = json_array();
    json_array_append_new(array, json_integer((json_int_t)shape->n_in));
    for (size_t i = 0; i < shape->hidden.n; i++)
        json_array_append_new(array, json_integer((json_int_t)shape->hidden.values[i]));
    json_array_append_new(array, json_integer((json_int_t)shape->n_classes));
    return array;
}

static json_t *keys(const kt_bench_results *r, const kt_bench_case *c)
{
    json_t *array = json_array();
    for (size_t i = 0; i < 4 && c->variant->overrides[i] != NULL; i++)
        json_array_append_new(array, json_string(c->variant->overrides[i]));
    for (size_t i = 0; i < r->settings->n_overrides; i++)
        json_array_append_new(array, json_string(r->settings->overrides[i]));
    return array;
}

/* Medians; a speed of 0 is one that this machine has not. */
static json_t *speeds_json(const kt_bench_group *group)
{
    json_t *object = json_object();
    json_object_set_new(object, "flops_peak", json_real(kt_bench_machine_peak(&group->machine)));
    for (int s = 0; s < KT_BENCH_N_SPEEDS; s++)
        json_object_set_new(object, kt_bench_speed_name((kt_bench_speed)s),
                            json_real(kt_bench_machine_speed(&group->machine, (kt_bench_speed)s)));
    return object;
}

static json_t *roofline_json(const kt_bench_case *c)
{
    const kt_bench_roofline line = kt_bench_case_roofline(c);
    json_t *object = json_object();
    for (int t = KT_BENCH_FORWARD; t <= KT_BENCH_EXCHANGE; t++)
        json_object_set_new(object, time_names[t],
                            json_pack("{s:f, s:f, s:f, s:s, s:f}", "flops", c->need.flops[t], "bytes", c->need.bytes[t],
                                      "seconds", line.seconds[t], "bound", line.by_memory[t] ? "memory" : "flops",
                                      "reached", line.seconds[t] / kt_bench_case_seconds(c, (kt_bench_time)t)));
    json_object_set_new(object, "seconds", json_real(line.seconds[KT_BENCH_STEP]));
    json_object_set_new(object, "step_over_roofline",
                        json_real(kt_bench_case_seconds(c, KT_BENCH_STEP) / line.seconds[KT_BENCH_STEP]));
    json_object_set_new(object, "fits_caches", json_boolean(line.cached));
    return object;
}

static void set_gain(json_t *object, const char *name, const kt_bench_case *other, const kt_bench_case *c)
{
    if (other != NULL)
        json_object_set_new(
            object, name,
            json_real(kt_bench_case_seconds(other, KT_BENCH_STEP) / kt_bench_case_seconds(c, KT_BENCH_STEP)));
}

static json_t *case_json(const kt_bench_results *r, const kt_bench_case *c)
{
    const kt_bench_need *need = &c->need;
    const double batch = (double)kt_bench_shape_batch(c->shape);
    json_t *medians = json_object(), *all = json_object(), *layers_by = json_object();
    for (size_t k = 0; k < kt_n_exchange_kinds; k++)
        json_object_set_new(layers_by, kt_exchange_kinds[k]->name, json_integer((json_int_t)need->layers_by[k]));
    for (int t = 0; t < KT_BENCH_N_TIMES; t++) {
        json_object_set_new(medians, time_names[t], json_real(kt_bench_case_seconds(c, (kt_bench_time)t)));
        json_object_set_new(all, time_names[t], numbers(c->n_repetitions, c->seconds[t]));
    }
    json_t *one = json_pack("{s:s, s:o, s:I, s:s, s:I, s:i, s:s, s:o}", "shape", c->shape->name, "widths",
                            widths(c->shape), "batch_size", (json_int_t)batch, "optimizer", c->shape->optimizer,
                            "parameters", (json_int_t)need->n_parameters, "ranks", c->group->n_ranks, "variant",
                            c->variant->name, "keys", keys(r, c));
    json_t *how = json_pack("{s:I, s:I, s:I, s:o, s:f, s:f, s:I, s:f, s:o, s:o, s:o, s:o}", "replicas",
                            (json_int_t)need->n_replicas, "ranks_per_replica", (json_int_t)need->ranks_per_replica,
                            "layers", (json_int_t)need->n_layers, "layers_by", layers_by, "sent_bytes",
                            need->sent_bytes, "data_bytes", need->data_bytes, "steps_each", (json_int_t)c->steps_each,
                            "samples_per_second", batch / kt_bench_case_seconds(c, KT_BENCH_STEP), "seconds", medians,
                            "repetitions", all, "roofline", roofline_json(c), "machine", speeds_json(c->group));
    json_object_update(one, how);
    json_decref(how);
    set_gain(one, "gain_over_one_rank", kt_bench_one_rank(r, c), c);
    set_gain(one, "gain_over_default", kt_bench_default(r, c), c);
    return one;
}

static json_t *machine_json(const kt_bench_group *group)
{
    const kt_bench_machine *machine = &group->machine;
    json_t *all = json_object();
    for (int s = 0; s < KT_BENCH_N_SPEEDS; s++)
        json_object_set_new(all, kt_bench_speed_name((kt_bench_speed)s),
                            numbers(machine->n_repetitions, machine->speeds[s]));
    return json_pack("{s:i, s:f, s:o, s:o}", "ranks", group->n_ranks, "cache_bytes",
                     kt_bench_cache_bytes((size_t)kt_comm_size(machine->host)), "speeds", speeds_json(group),
                     "repetitions", all);
}

static json_t *results_json(const kt_bench_results *r)
{
    json_t *machines = json_array(), *cases = json_array();
    for (size_t g = 0; g < r->n_groups; g++)
        json_array_append_new(machines, machine_json(&r->groups[g]));
    for (size_t i = 0; i < r->n_cases; i++)
        json_array_append_new(cases, case_json(r, &r->cases[i]));
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:o, s:o}", "version", KT_VERSION, "host", r->host, "blas_core",
                     kt_linalg_core(), "threads", r->settings->threads, "n_repetitions", r->settings->repetitions,
                     "machines", machines, "cases", cases, "shapes", kt_bench_peers_json(r));
}

kt_status kt_bench_write_json(const kt_bench_results *results, const char *path)
{
    json_t *root = results_json(results);
    char *text = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL)
        return kt_fail(KT_NO_MEMORY, "no memory for the text of %s", path);
    kt_status status = kt_file_replace(path, text, strlen(text));
    free(text);
    return status;
}
