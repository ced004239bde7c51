/* How a network begins on the seats of a team (network.h), emulated by threads. */
#include "net/initializer.h"
#include "net/network.h"

#include "net/crew.h"

const char *const kt_test_suite = "network_start";

enum { SHARDS = 8 };

/* Layers that every seat has, and such as are owned by panels, the last panel not full. */
static const int64_t hidden[3] = {23, 410, 30};

static kt_network_spec spec; /* of the network under test */
static kt_network *alone, *seats[MOST_SEATS];
static void *vectors; /* of all seats */

static void prepare(size_t n_seats, size_t *letter_bytes)
{
    kt_network_room room;
    KT_CHECK_STATUS(KT_OK, kt_network_measure(&spec, &(kt_team){.n_seats = n_seats}, &room));
    CU_ASSERT_FATAL((vectors = kt_memory_new(room.shared_bytes, 1)) != NULL);
    *letter_bytes = room.letter_bytes;
}

/* Runs work on n_seats. */
static void run(size_t n_seats, crew_work *work)
{
    size_t letter_bytes;
    prepare(n_seats, &letter_bytes);
    const crew_shape of_crew = {1, n_seats, (const size_t[]){0, SHARDS}, letter_bytes};
    crew_run(&of_crew, work, NULL, NULL);
    for (size_t k = 0; k < n_seats; k++)
        kt_network_free(seats[k]);
    kt_memory_free(vectors);
}

static kt_network_spec spec_of(size_t n_hidden, int initializer)
{
    return (kt_network_spec){.n_in = 30,
                             .n_classes = 301,
                             .hidden = {n_hidden, hidden},
                             .initializer = initializer,
                             .init_scale = 0.5,
                             .batch_norm = true,
                             .batch_norm_epsilon = 1e-5,
                             .unit_shards = 16,
                             .n_shards = SHARDS,
                             .n_slots = 2,
                             .max_rows = 1};
}

/* Elements of tensor t that seat `me` sees otherwise than one rank makes them. Where it has a copy of its own:
 * there. */
static kt_status check_tensor(const seat *me, const kt_tensor *t, const kt_tensor *expected)
{
    if (memcmp(t->here[0], expected->here[0], t->room * sizeof(float)) == 0)
        return KT_OK;
    return kt_fail(KT_INTERNAL, "seat %zu does not see %s as one rank makes it", me->team.seat, t->name);
}

/* Every seat sees the whole as soon as its own call returns. */
static kt_status initialize(const seat *me, void *context)
{
    kt_network **net = &seats[me->team.seat];
    (void)context;
    KT_TRY(kt_network_create_in_team(net, &spec, &me->team, vectors));
    kt_network_initialize(*net, 12);
    const kt_tensors *mine[] = {kt_network_parameters(*net), kt_network_state(*net)};
    const kt_tensors *expected[] = {kt_network_parameters(alone), kt_network_state(alone)};
    for (size_t i = 0; i < 2; i++)
        for (size_t t = 0; t < mine[i]->n; t++)
            KT_TRY(check_tensor(me, &mine[i]->tensor[t], &expected[i]->tensor[t]));
    return KT_OK;
}

static void initialization(void)
{
    for (size_t i = 0; i < kt_n_initializers; i++)
        for (size_t n_hidden = 0; n_hidden <= 3; n_hidden += 3) {
            spec = spec_of(n_hidden, (int)i);
            KT_CHECK_STATUS(KT_OK, kt_network_create(&alone, &spec));
            kt_network_initialize(alone, 12);
            for (size_t n_seats = 1; n_seats <= MOST_SEATS; n_seats++)
                run(n_seats, initialize);
            kt_network_free(alone);
        }
}

static float number(size_t vector, size_t element)
{
    return (float)(element % 100000 + vector + 1);
}

/* What is written into the vectors comes into every seat's copies. */
static kt_status take_vectors(const seat *me, void *context)
{
    kt_network **net = &seats[me->team.seat];
    (void)context;
    KT_TRY(kt_network_create_in_team(net, &spec, &me->team, vectors));
    const kt_tensors *mine[] = {kt_network_parameters(*net), kt_network_state(*net)};
    for (size_t i = 0; i < 2 && me->team.seat == 0; i++)
        for (size_t k = 0; k < mine[i]->n_vectors; k++)
            for (size_t e = 0; e < mine[i]->room; e++)
                mine[i]->vector[k][e] = number(k, e);
    kt_team_barrier(&me->team);
    kt_network_take_vectors(*net);
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < mine[i]->n_vectors; k++)
            for (const kt_tensor *t = mine[i]->tensor; t < mine[i]->tensor + mine[i]->n; t++)
                for (size_t e = 0; e < t->room; e++)
                    if (t->here[k][e] != number(k, t->offset + e))
                        return kt_fail(KT_INTERNAL, "seat %zu has not taken %s", me->team.seat, t->name);
    return KT_OK;
}

static void copies_are_taken(void)
{
    spec = spec_of(3, 0);
    run(1, take_vectors);
    run(3, take_vectors);
}

const kt_test kt_tests[] = {
    {"seats initialize a network as one rank does", initialization},
    {"what is written into the vectors comes into every seat's copies", copies_are_taken},
    {NULL, NULL},
};
