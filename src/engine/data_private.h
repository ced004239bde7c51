/* What the files of data share: data.c (reading, parts) and data_to_all.c (to all ranks). */
#ifndef KTRAIN_DATA_PRIVATE_H
#define KTRAIN_DATA_PRIVATE_H

#include "engine/data.h"

/* Everyone gets rank 0's *data, if reading it has gone well. Collective. *data is freed on failure. */
kt_status kt_data_give(kt_comm *comm, kt_status read_status, kt_data *data);

#endif
