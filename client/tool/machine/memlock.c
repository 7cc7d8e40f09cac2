#include "memlock.h"

#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t from_limit(rlim_t limit)
{
	return limit == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit;
}

static bool has_ipc_lock(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1U << CAP_IPC_LOCK)) != 0;
}

struct memlock memlock_read(void)
{
	struct memlock limits = { .free = has_ipc_lock() };
	struct rlimit now;

	if (getrlimit(RLIMIT_MEMLOCK, &now) == 0) {
		limits.soft = from_limit(now.rlim_cur);
		limits.hard = from_limit(now.rlim_max);
	}
	return limits;
}

bool memlock_raise(uint64_t granted, uint64_t *limit)
{
	struct rlimit now;

	*limit = 0;
	if (getrlimit(RLIMIT_MEMLOCK, &now) < 0)
		return false;
	if (from_limit(now.rlim_cur) < granted) {
		struct rlimit raised = now;

		raised.rlim_cur = from_limit(now.rlim_max) > granted ? (rlim_t)granted : now.rlim_max;
		if (setrlimit(RLIMIT_MEMLOCK, &raised) == 0)
			now = raised;
	}
	*limit = from_limit(now.rlim_cur);
	return *limit >= granted;
}

const char *memlock_text(uint64_t bytes, char out[static 32])
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;

	if (bytes == UINT64_MAX) {
		snprintf(out, 32, "no limit");
		return out;
	}
	while (bytes != 0 && bytes % 1024 == 0 && i + 1 < sizeof(unit) / sizeof(*unit)) {
		bytes /= 1024;
		i++;
	}
	snprintf(out, 32, "%" PRIu64 " %s", bytes, unit[i]);
	return out;
}
