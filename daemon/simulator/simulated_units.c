#include "simulated_units.h"

#include "../../policy/util/text.h"
#include "../base/descriptors.h"
#include "../base/peer_unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int units_put(struct units *units, pid_t pid, const char *unit)
{
	struct unit_member *larger = reallocarray(units->member, units->count + 1, sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	units->member = larger;
	larger[units->count].pid = pid;
	text_format(larger[units->count++].unit, UNIT_NAME_MAX, "%s", unit);
	return 0;
}

static void read_unit(pid_t pid, bool leaf, char out[static UNIT_NAME_MAX])
{
	char path[32], text[4096];
	size_t length = 0;
	const char *slash;
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && (got = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)got;
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	peer_unit_parse(text, out, UNIT_NAME_MAX);
	slash = strrchr(text, '/');
	if (!out[0] && leaf && slash)
		text_escape(out, UNIT_NAME_MAX, slash + 1, strlen(slash + 1));
}

const char *units_find(const struct units *units, pid_t pid, bool leaf, char out[static UNIT_NAME_MAX])
{
	for (size_t i = units->count; i > 0; i--)
		if (units->member[i - 1].pid == pid)
			return text_format(out, UNIT_NAME_MAX, "%s", units->member[i - 1].unit);
	read_unit(pid, leaf, out);
	return out;
}

void units_done(struct units *units)
{
	free(units->member);
	*units = (struct units){ .member = NULL };
}
