/*
 * The table of host calls on Linux: sysfs, VFIO's and iommufd's ioctls, ACLs of nodes. Each call is made on the
 * plan_context that the run is the first member of. A call that has to wait sleeps: none answers "not yet".
 */
#pragma once

#include "../../plans/host_calls.h"

extern const struct host_calls linux_calls;
