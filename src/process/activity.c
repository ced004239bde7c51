/* The record of it. */
#include "process/activity.h"

kt_activity kt_activity_here;
