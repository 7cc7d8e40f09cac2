#include "lease_lines.h"

#include "../../policy/util/json_text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { LINE_DEPTH_MAX = 8 };

/* What is no sentence that this library knows may be one of a later version: it is passed over. */
static void take_line(struct lease_lines *lines, const char *line)
{
	struct json_object *object, *value;
	struct json_problem problem;

	if (json_text_read(line, strlen(line), JSON_MESSAGE, LINE_DEPTH_MAX, &object, &problem) < 0)
		return;
	if (json_object_object_get_ex(object, "event", &value) && json_object_is_type(value, json_type_string) &&
	    strcmp(json_object_get_string(value), "revoke") == 0) {
		lines->asked = true;
		lines->grace = 0;
		lines->reason[0] = '\0';
		if (json_object_object_get_ex(object, "grace_usec", &value) &&
		    json_object_is_type(value, json_type_int) && json_object_get_int64(value) > 0)
			lines->grace = json_object_get_int64(value);
		if (json_object_object_get_ex(object, "reason", &value) && json_object_is_type(value, json_type_string))
			snprintf(lines->reason, sizeof(lines->reason), "%s", json_object_get_string(value));
	}
	json_object_put(object);
}

static void take_text(struct lease_lines *lines)
{
	char *end;

	while ((end = memchr(lines->text, '\n', lines->used)) != NULL) {
		size_t length = (size_t)(end - lines->text) + 1;

		*end = '\0';
		if (!lines->skips)
			take_line(lines, lines->text);
		lines->skips = false;
		lines->used -= length;
		memmove(lines->text, lines->text + length, lines->used);
	}
	if (lines->used == sizeof(lines->text)) {
		lines->used = 0;
		lines->skips = true;
	}
}

int lease_lines_read(struct lease_lines *lines, int lease)
{
	for (;;) {
		ssize_t size = recv(lease, lines->text + lines->used, sizeof(lines->text) - lines->used, MSG_DONTWAIT);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			return errno == EAGAIN ? 0 : errno == ECONNRESET ? -ENODATA : -errno;
		if (size == 0)
			return -ENODATA;
		lines->used += (size_t)size;
		take_text(lines);
	}
}
