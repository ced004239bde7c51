/* All of libktrain. It needs mpi.h; a program that only uses models includes "ktrain/model.h". */
#ifndef KTRAIN_PUBLIC_KTRAIN_H
#define KTRAIN_PUBLIC_KTRAIN_H

#include "ktrain/config.h"
#include "ktrain/data.h"
#include "ktrain/model.h"
#include "ktrain/status.h"
#include "ktrain/train.h"
#include "ktrain/version.h"

#endif
