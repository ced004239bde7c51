/* Collecting who, where, when and with which version, and putting it into files. */
#include "saving/provenance.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "build.h"
#include "edge/hdf5_file.h"
#include "edge/linalg.h"

#define ROW(name)                                                                   \
    {                                                                               \
#name, offsetof(kt_provenance, name), sizeof(((kt_provenance *)NULL)->name) \
    }

const kt_provenance_row kt_provenance_rows[] = {ROW(version), ROW(started), ROW(command), ROW(hosts),
                                                ROW(mpi),     ROW(blas),    ROW(hdf5)};
const size_t kt_n_provenance_rows = sizeof kt_provenance_rows / sizeof kt_provenance_rows[0];

const char *kt_provenance_text(const kt_provenance *provenance, const kt_provenance_row *row)
{
    return (const char *)provenance + row->offset;
}

void kt_provenance_set_text(kt_provenance *provenance, const kt_provenance_row *row, const char *text)
{
    snprintf((char *)provenance + row->offset, row->size, "%s", text);
}

const char *kt_provenance_version(void)
{
    return KT_COMMIT[0] != '\0' ? KT_VERSION ", commit " KT_COMMIT : KT_VERSION;
}

static void take_time(char *text, size_t size)
{
    const time_t now = time(NULL);
    struct tm local;
    strftime(text, size, "%Y-%m-%dT%H:%M:%S%z", localtime_r(&now, &local));
}

/* The kernel has the arguments, each ended by a NUL: nobody needs to hand them down. */
static void take_command(char *text, size_t size)
{
    FILE *file = fopen("/proc/self/cmdline", "r");
    const size_t n = file != NULL ? fread(text, 1, size - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    for (size_t i = 0; i + 1 < n; i++)
        if (text[i] == '\0')
            text[i] = ' ';
    text[n] = '\0';
}

enum { HOST_BYTES = 64 };

static int n_ranks_on(char (*hosts)[HOST_BYTES], int n, const char *host)
{
    int found = 0;
    for (int r = 0; r < n; r++)
        found += strcmp(hosts[r], host) == 0;
    return found;
}

/* hosts[n]: of the ranks. Cut when it does not fit. */
static void describe_hosts(char (*hosts)[HOST_BYTES], int n, char *text, size_t size)
{
    size_t length = 0;
    for (int r = 0; r < n && length < size; r++) {
        if (n_ranks_on(hosts, r, hosts[r]) > 0)
            continue; /* named already */
        const int on = n_ranks_on(hosts, n, hosts[r]);
        const char *unit = r > 0 ? "" : on == 1 ? " rank" : " ranks";
        length += (size_t)snprintf(text + length, size - length, "%s%d%s on %s", r > 0 ? ", " : "", on, unit, hosts[r]);
    }
}

kt_status kt_provenance_collect(kt_comm *comm, kt_provenance *out)
{
    char own[HOST_BYTES], (*hosts)[HOST_BYTES] = NULL;
    const int n = kt_comm_size(comm);
    const bool root = kt_comm_rank(comm) == 0;
    memset(own, 0, sizeof own);
    memset(out, 0, sizeof *out);
    snprintf(own, sizeof own, "%s", kt_comm_host(comm));
    KT_TRY(kt_comm_agree(comm, root ? KT_NEW(hosts, (size_t)n) : KT_OK));
    kt_comm_gather(comm, own, sizeof own, hosts);
    if (!root)
        return KT_OK;
    describe_hosts(hosts, n, out->hosts, sizeof out->hosts);
    kt_memory_free(hosts);
    take_time(out->started, sizeof out->started);
    take_command(out->command, sizeof out->command);
    snprintf(out->version, sizeof out->version, "%s", kt_provenance_version());
    snprintf(out->mpi, sizeof out->mpi, "%s", kt_comm_version());
    snprintf(out->blas, sizeof out->blas, "%s; kernels %s", kt_linalg_version(), kt_linalg_core());
    snprintf(out->hdf5, sizeof out->hdf5, "%s", kt_hdf5_version());
    return KT_OK;
}
