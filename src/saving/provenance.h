/* By whom and where something was made: kept in every run's log and summary.json, and in every checkpoint and model.
 * Nothing that is computed depends on it. */
#ifndef KTRAIN_PROVENANCE_H
#define KTRAIN_PROVENANCE_H

#include "edge/comm.h"

/* One text per row; "" where it is not known. Rank 0 has all of them, other ranks none. */
typedef struct kt_provenance {
    char version[64];  /* "0.1.0, commit 1a2b3c4d5e6f" */
    char started[32];  /* "2026-11-25T12:07:45+0000" */
    char command[512]; /* of rank 0, its beginning when it is longer */
    char hosts[512];   /* "2 ranks on node1, 2 on node2" */
    char mpi[128], blas[192], hdf5[32];
} kt_provenance;

typedef struct kt_provenance_row {
    const char *name;
    size_t offset, size; /* of a text in kt_provenance */
} kt_provenance_row;

/* version, started, command, hosts, mpi, blas, hdf5: names in files. */
extern const kt_provenance_row kt_provenance_rows[];
extern const size_t kt_n_provenance_rows;

const char *kt_provenance_text(const kt_provenance *provenance, const kt_provenance_row *row);
/* Cut when it does not fit. */
void kt_provenance_set_text(kt_provenance *provenance, const kt_provenance_row *row, const char *text);

/* Of this start. Collective. KT_NO_MEMORY. */
kt_status kt_provenance_collect(kt_comm *comm, kt_provenance *out);

/* "0.1.0, commit 1a2b3c4d5e6f", or without a commit where the source was no checkout. Local. */
const char *kt_provenance_version(void);

#endif
