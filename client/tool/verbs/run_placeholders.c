#include "run_placeholders.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct placeholder {
	enum placeholder_kind kind;
	size_t length; /* with its braces */
	int device;    /* of those that name one: its place among the devices, -1 if it is none of them */
};

/* A placeholder with the name of a device: from prefix to the closing brace. */
static bool read_named(const char *text, const char *prefix, const struct device_names *devices,
		       struct placeholder *found)
{
	size_t start = strlen(prefix), length;
	char typed[DEVICE_NAME_MAX], name[DEVICE_NAME_MAX];

	if (strncmp(text, prefix, start) != 0)
		return false;
	length = strcspn(text + start, "}");
	if (text[start + length] != '}')
		return false;
	found->length = start + length + 1;
	found->device = -1;
	if (length < sizeof(typed)) {
		memcpy(typed, text + start, length);
		typed[length] = '\0';
		if (device_name_read(typed, name) == 0)
			found->device = device_names_find(devices, name);
	}
	return true;
}

/* The placeholder that starts at text, which is a '{'. */
static struct placeholder read_placeholder(const char *text, const struct device_names *devices)
{
	static const struct {
		const char *text;
		enum placeholder_kind kind;
		bool named;
	} known[] = {
		{ "{iommufd}", PLACEHOLDER_IOMMUFD, false },
		{ "{ioasid}", PLACEHOLDER_IOAS_ID, false },
		{ "{container}", PLACEHOLDER_CONTAINER, false },
		{ "{lease}", PLACEHOLDER_LEASE, false },
		{ "{fd:", PLACEHOLDER_DEVICE, true },
		{ "{group:", PLACEHOLDER_GROUP, true },
	};
	struct placeholder found = { .kind = PLACEHOLDER_NONE, .length = 1 };

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		bool is = known[i].named ? read_named(text, known[i].text, devices, &found)
					 : strncmp(text, known[i].text, strlen(known[i].text)) == 0;

		if (!is)
			continue;
		found.kind = known[i].kind;
		if (!known[i].named)
			found.length = strlen(known[i].text);
		break;
	}
	return found;
}

static bool names_device(const struct placeholder *found)
{
	return found->kind == PLACEHOLDER_DEVICE || found->kind == PLACEHOLDER_GROUP;
}

int run_placeholders_check(char *const *argument, const struct device_names *devices, struct placeholder_needs *needs,
			   char *wrong, size_t size)
{
	memset(needs, 0, sizeof(*needs));
	for (size_t i = 1; argument[0] != NULL && argument[i] != NULL; i++) {
		for (const char *text = strchr(argument[i], '{'); text != NULL; text = strchr(text, '{')) {
			struct placeholder found = read_placeholder(text, devices);

			needs->kind[found.kind] = found.kind != PLACEHOLDER_NONE;
			if (names_device(&found) && found.device < 0) {
				size_t length = found.length < size ? found.length : size - 1;

				snprintf(wrong, size, "%.*s", (int)length, text);
				return -ENODEV;
			}
			text += found.length;
		}
	}
	return 0;
}

static void write_value(FILE *stream, const struct placeholder *found, const struct placeholder_values *values)
{
	switch (found->kind) {
	case PLACEHOLDER_IOMMUFD:
		fprintf(stream, "%d", values->iommufd);
		break;
	case PLACEHOLDER_IOAS_ID:
		fprintf(stream, "%" PRIu32, values->ioas_id);
		break;
	case PLACEHOLDER_CONTAINER:
		fprintf(stream, "%d", values->container);
		break;
	case PLACEHOLDER_GROUP:
		fprintf(stream, "%d", values->group_fd[found->device]);
		break;
	case PLACEHOLDER_LEASE:
		fprintf(stream, "%d", values->lease);
		break;
	case PLACEHOLDER_DEVICE:
		fprintf(stream, "%d", values->device_fd[found->device]);
		break;
	case PLACEHOLDER_NONE:
	case PLACEHOLDER_KINDS:
		fputc('{', stream);
		break;
	}
}

static char *replace_one(const char *text, const struct placeholder_values *values)
{
	char *out = NULL;
	size_t size;
	FILE *stream = open_memstream(&out, &size);

	if (stream == NULL)
		return NULL;
	while (*text != '\0') {
		size_t plain = strcspn(text, "{");
		struct placeholder found;

		fwrite(text, 1, plain, stream);
		text += plain;
		if (*text == '\0')
			break;
		found = read_placeholder(text, values->devices);
		write_value(stream, &found, values);
		text += found.length;
	}
	if (fclose(stream) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

char **run_placeholders_replace(char *const *argument, const struct placeholder_values *values)
{
	size_t count = 0;
	char **copy;

	while (argument[count] != NULL)
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	if (copy == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		copy[i] = i == 0 ? strdup(argument[i]) : replace_one(argument[i], values);
		if (copy[i] == NULL) {
			run_placeholders_free(copy);
			return NULL;
		}
	}
	return copy;
}

void run_placeholders_free(char **argument)
{
	for (size_t i = 0; argument != NULL && argument[i] != NULL; i++)
		free(argument[i]);
	free(argument);
}
