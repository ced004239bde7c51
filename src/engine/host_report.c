/* Asking every rank for its host and cores, and saying what does not fit. */
#include "engine/host_report.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "edge/linalg.h"

enum { CORE_BYTES = 32 };

typedef struct seat {
    char host[KT_HOST_BYTES];
    char blas[CORE_BYTES]; /* whose kernels OpenBLAS takes */
    cpu_set_t cores;
    int threads;
} seat;

static void own_cores(cpu_set_t *cores)
{
    CPU_ZERO(cores);
    if (sched_getaffinity(0, sizeof *cores, cores) != 0)
        CPU_SET(0, cores); /* more than CPU_SETSIZE cores: count one rather than none */
}

/* The host of seats[first] with all the ranks on it. */
static void report_host(const seat *seats, int first, int size, kt_log *log)
{
    cpu_set_t cores;
    int threads = 0, n_ranks = 0, last = first;
    CPU_ZERO(&cores);
    for (int r = first; r < size; r++) {
        if (strcmp(seats[r].host, seats[first].host) != 0)
            continue;
        CPU_OR(&cores, &cores, &seats[r].cores);
        threads += seats[r].threads;
        n_ranks++;
        last = r;
    }
    int n_cores = CPU_COUNT(&cores);
    char ranks[64];
    if (n_ranks == 1)
        snprintf(ranks, sizeof ranks, "rank %d", first);
    else if (n_ranks == last - first + 1)
        snprintf(ranks, sizeof ranks, "ranks %d-%d", first, last);
    else
        snprintf(ranks, sizeof ranks, "%d ranks from %d to %d", n_ranks, first, last);
    kt_log_line(log, "ranks  %s on %s: %d core%s, %d thread%s each", ranks, seats[first].host, n_cores,
                n_cores == 1 ? "" : "s", seats[first].threads, seats[first].threads == 1 ? "" : "s");
    if (threads > n_cores)
        kt_log_warning(log, "%d threads share %d cores on %s, which slows all of them: use fewer ranks%s", threads,
                       n_cores, seats[first].host,
                       n_cores < sysconf(_SC_NPROCESSORS_ONLN) ? ", or mpirun --bind-to none" : "");
}

/* Different kernels of OpenBLAS only its environment can mend. */
static void compare_blas(const seat *seats, int size, kt_log *log)
{
    int other = 1;
    while (other < size && strcmp(seats[0].blas, seats[other].blas) == 0)
        other++;
    if (other < size)
        kt_log_warning(log,
                       "OpenBLAS takes its %s kernels on rank 0 and %s on rank %d: for the same bits in large batches "
                       "set OPENBLAS_CORETYPE on all hosts",
                       seats[0].blas, seats[other].blas, other);
}

static bool seen_before(const seat *seats, int rank)
{
    for (int r = 0; r < rank; r++)
        if (strcmp(seats[r].host, seats[rank].host) == 0)
            return true;
    return false;
}

kt_status kt_host_report(kt_comm *comm, int threads, kt_log *log)
{
    seat own, *seats = NULL;
    memset(&own, 0, sizeof own);
    snprintf(own.host, sizeof own.host, "%s", kt_comm_host(comm));
    snprintf(own.blas, sizeof own.blas, "%s", kt_linalg_core());
    own_cores(&own.cores);
    own.threads = threads;
    int size = kt_comm_size(comm);
    bool root = kt_comm_rank(comm) == 0;
    KT_TRY(kt_comm_agree(comm, root ? KT_NEW(seats, (size_t)size) : KT_OK));
    kt_comm_gather(comm, &own, sizeof own, seats);
    for (int r = 0; root && r < size; r++)
        if (!seen_before(seats, r))
            report_host(seats, r, size, log);
    if (root)
        compare_blas(seats, size, log);
    kt_memory_free(seats);
    return KT_OK;
}

/* What launchers say of the processes they have started, in the order in which they are believed: Open MPI's mpirun may
 * have been started by srun, and srun may say PMI_SIZE, too. */
static const struct launcher {
    const char *size, *words;
    bool starts_ranks;
    const char *unless; /* a variable that says it is an interactive shell: what is typed there runs once; or NULL */
} launchers[] = {
    {"OMPI_COMM_WORLD_SIZE", "mpirun of Open MPI, but this ktrain was built with another MPI: use its mpirun", true,
     NULL},
    {"SLURM_STEP_NUM_TASKS",
     "srun without MPI between them: use srun --mpi=pmix (srun --mpi=list shows what there is) or mpirun", false,
     "SLURM_PTY_PORT"},
    {"PMI_SIZE", "mpirun of MPICH or a relative, but this ktrain was built with another MPI: use its mpirun", true,
     NULL},
};

static int number_in(const char *variable)
{
    const char *text = getenv(variable);
    return text != NULL ? atoi(text) : 0;
}

kt_status kt_host_report_check_launcher(const kt_comm *world, kt_log *log)
{
    const int n = kt_comm_size(world);
    for (size_t i = 0; i < sizeof launchers / sizeof launchers[0] && n == 1; i++) {
        const int said = number_in(launchers[i].size);
        const bool typed = launchers[i].unless != NULL && getenv(launchers[i].unless) != NULL;
        if (said > 1 && !typed)
            return kt_fail(KT_USAGE, "this is one of %d processes started by %s", said, launchers[i].words);
        if (said == 1 && launchers[i].starts_ranks)
            return KT_OK;
    }
    if (n == 1 && number_in("SLURM_NTASKS") > 1)
        kt_log_warning(log, "one rank in a job of %s tasks: mpirun or srun --mpi=pmix starts one per task",
                       getenv("SLURM_NTASKS"));
    return KT_OK;
}
