/* What a step costs: the model by which ranks are grouped into replicas and an exchange is chosen. Local and pure.
 *
 * A step of a dense layer of n parameters on a replica of k ranks, batch of B samples over R replicas:
 *   products   4 n B / R flops over k cores (a small layer's on each), 2 less in the first layer, and the weights read
 *   twice (8 n bytes)
 *   update     2 n B flops and 24 n bytes (Adam: w, m, v read and written; 8 + 8 n_slots in general)
 *   letters    in a replica: its share of the batch's activations to the other ranks, and the same of derivatives,
 *              over the link between cores, or between hosts where a replica lies on several
 *   exchange   bytes over the link between replicas, plus a latency for each message
 * Products and update are bound by arithmetic or by the host's memory, whichever is slower; ranks of one host share its
 * memory. docs/performance.md compares the model with measurements. */
#ifndef KTRAIN_COST_H
#define KTRAIN_COST_H

#include <stdbool.h>
#include <stddef.h>

/* Between two replicas. */
typedef struct kt_link {
    double latency_seconds;  /* of one small exchange of all with all */
    double bytes_per_second; /* that a replica can send while it receives */
} kt_link;

/* A host. */
typedef struct kt_machine {
    double core_flops;      /* per second, in products of a core */
    double memory_bytes;    /* per second, all ranks of a host together */
    kt_link core;           /* between ranks of a replica: latency of a barrier */
    kt_link local, network; /* between replicas of one host, and of different hosts */
} kt_machine;

/* A typical one, for decisions made without measuring. */
extern const kt_machine kt_machine_typical;

/* How a job lies on a machine. */
typedef struct kt_layout {
    size_t n_hosts, n_ranks;  /* n_ranks over all hosts */
    size_t ranks_per_replica; /* >= 1 */
    size_t n_replicas;        /* fewer than hosts: one in all */
} kt_layout;

/* The layout of n_ranks over n_hosts, filled host by host as evenly as can be. ranks_per_replica 0: one replica a
 * host. kt_cost_team: one replica in all. */
kt_layout kt_cost_team(size_t n_ranks, size_t n_hosts);
kt_layout kt_cost_layout(size_t n_ranks, size_t n_hosts, size_t ranks_per_replica);

/* What a layer is to the exchange. */
typedef struct kt_layer_shape {
    size_t n_in, n_out;
} kt_layer_shape;

/* What combining the gradient of one layer costs in a step, with the update. */
typedef struct kt_exchange_cost {
    double total_bytes; /* that all replicas together send: exact */
    double sent_bytes;  /* by the busiest replica, when each sends to each directly */
    double messages;    /* exchanges of all with all, a latency each */
    double seconds;
    double updates; /* of the whole layer, by all replicas together */
} kt_exchange_cost;

/* How the gradient of a layer is combined. */
typedef struct kt_exchange_job {
    size_t batch_size, n_shards, n_slots;
    bool reproducible, rank0;
    bool clips; /* by the norm */
} kt_exchange_job;

/* What the costs of exchanges (exchange.h) are made of: parameters of a layer, weights and bias; floats that they take
 * in panels (panels.h), and so in a message; bytes that the update of a parameter reads and writes; seconds of a host's
 * memory while each of its replicas moves n_bytes; seconds of what `cost` says is sent. */
double kt_cost_parameters(kt_layer_shape layer);
double kt_cost_floats(kt_layer_shape layer);
double kt_cost_update_bytes(const kt_exchange_job *job);
double kt_cost_memory(const kt_machine *machine, const kt_layout *layout, double n_bytes);
double kt_cost_sending(const kt_machine *machine, const kt_layout *layout, const kt_exchange_cost *cost);

/* Seconds of forward, backward and (without exchange) update of a whole network. */
typedef struct kt_step_cost {
    double forward_seconds, backward_seconds, update_seconds;
    double letter_seconds; /* within a replica */
} kt_step_cost;

kt_step_cost kt_cost_step(const kt_machine *machine, const kt_layout *layout, const kt_exchange_job *job,
                          const kt_layer_shape *layers, size_t n_layers);

#endif
