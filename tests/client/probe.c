/*
 * Calls libioasid as it is told on standard input, one command a line with tabs between its words, and says in a line
 * of JSON what came of it. It knows no right and no wrong: the tests do.
 */
#include "../../include/ioasid.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { WORDS_MAX = 80 };

struct probe {
	const char *path;
	struct ioasid *connection;
	struct ioasid_claim *claim;
	struct ioasid_monitor *monitor;
	char *word[WORDS_MAX];
	size_t words;
};

/* Without a descriptor of its own: there may be no room for one. */
static int count_fds(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void add_text(struct json_object *out, const char *key, const char *text)
{
	json_object_object_add(out, key, text != NULL ? json_object_new_string(text) : NULL);
}

/* What a descriptor refers to, and whether it is close-on-exec. */
static struct json_object *describe_fd(int fd)
{
	struct json_object *out = json_object_new_object();
	char path[64], target[256];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	json_object_object_add(out, "number", json_object_new_int(fd));
	add_text(out, "target", target);
	json_object_object_add(out, "cloexec", json_object_new_boolean(fcntl(fd, F_GETFD) == FD_CLOEXEC));
	return out;
}

static struct json_object *list_nodes(const struct ioasid_claim *claim, const char *device)
{
	struct json_object *out = json_object_new_array();
	const char *node;

	for (size_t i = 0; (node = ioasid_claim_node(claim, device, i)) != NULL; i++)
		json_object_array_add(out, json_object_new_string(node));
	return out;
}

static void describe_claim(const struct probe *probe, struct json_object *out)
{
	struct json_object *devices = json_object_new_object();
	struct json_object *groups = json_object_new_object();
	struct json_object *nodes = json_object_new_object();
	const struct ioasid_claim *claim = probe->claim;

	for (size_t i = 0; i < ioasid_claim_device_count(claim); i++) {
		const char *name = ioasid_claim_device(claim, i);

		json_object_object_add(devices, name, describe_fd(ioasid_claim_device_fd(claim, name)));
		json_object_object_add(groups, name, describe_fd(ioasid_claim_group_fd(claim, name)));
		json_object_object_add(nodes, name, list_nodes(claim, name));
	}
	json_object_object_add(out, "devices", devices);
	json_object_object_add(out, "groups", groups);
	json_object_object_add(out, "nodes", nodes);
	json_object_object_add(out, "container", describe_fd(ioasid_claim_container(claim)));
	json_object_object_add(out, "other_group", json_object_new_int(ioasid_claim_group_fd(claim, "no-such-device")));
	add_text(out, "other_node", ioasid_claim_node(claim, "no-such-device", 0));
	add_text(out, "interface", ioasid_claim_interface(claim));
	add_text(out, "id", ioasid_claim_id(claim));
	add_text(out, "mode", ioasid_claim_mode(claim));
	add_text(out, "past_the_end", ioasid_claim_device(claim, ioasid_claim_device_count(claim)));
	json_object_object_add(out, "other_fd", json_object_new_int(ioasid_claim_device_fd(claim, "no-such-device")));
	json_object_object_add(out, "ioas_id", json_object_new_int64(ioasid_claim_ioas_id(claim)));
	json_object_object_add(out, "iommufd", describe_fd(ioasid_claim_iommufd(claim)));
	json_object_object_add(out, "lease", describe_fd(ioasid_claim_lease_fd(claim)));
	json_object_object_add(out, "json", json_tokener_parse(ioasid_claim_json(claim)));
}

static int do_call(struct probe *probe, struct json_object *out)
{
	char *reply = NULL;
	int result = ioasid_call(probe->connection, probe->word[1], probe->words > 2 ? probe->word[2] : NULL, &reply);

	add_text(out, "reply", reply);
	free(reply);
	return result;
}

static int do_plan(struct probe *probe, struct json_object *out)
{
	char *plan = NULL;
	const char *const *devices = (const char *const *)probe->word + 1;
	int result = ioasid_plan(probe->connection, devices, probe->words - 1, NULL, &plan);

	add_text(out, "plan", plan);
	free(plan);
	return result;
}

/* claim MODE DEVICE...; the mode "-" is none. */
static int do_claim(struct probe *probe, struct json_object *out)
{
	const char *mode = strcmp(probe->word[1], "-") == 0 ? NULL : probe->word[1];
	int result = ioasid_claim(probe->connection, (const char *const *)probe->word + 2, probe->words - 2, mode,
				  &probe->claim);

	if (result == 0)
		describe_claim(probe, out);
	return result;
}

/* claim_leased LEASE UNIT DEVICE...; the unit "-" is none. */
static int do_claim_leased(struct probe *probe, struct json_object *out)
{
	const char *unit = strcmp(probe->word[2], "-") == 0 ? NULL : probe->word[2];
	int result = ioasid_claim_leased(probe->connection, (const char *const *)probe->word + 3, probe->words - 3,
					 NULL, probe->word[1], unit, &probe->claim);

	if (result == 0)
		describe_claim(probe, out);
	return result;
}

static int do_asked(struct probe *probe, struct json_object *out)
{
	const char *reason = "";
	int64_t grace = -1;
	int result = ioasid_claim_asked_back(probe->claim, &grace, &reason);

	json_object_object_add(out, "grace", json_object_new_int64(grace));
	add_text(out, "reason", reason);
	return result;
}

/* next MILLISECONDS */
static int do_next(struct probe *probe, struct json_object *out)
{
	char *event = NULL;
	int result = ioasid_monitor_next(probe->connection, probe->monitor, atoi(probe->word[1]), &event);

	json_object_object_add(out, "event", event != NULL ? json_tokener_parse(event) : NULL);
	free(event);
	return result;
}

/* Leaves room for so many more descriptors. */
static int do_limit(struct probe *probe)
{
	struct rlimit limit;
	int lowest = dup(0);

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)lowest + (rlim_t)atoi(probe->word[1]);
	return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static int execute(struct probe *probe, struct json_object *out)
{
	const char *verb = probe->word[0];
	int result = 0;

	if (strcmp(verb, "connect") == 0) {
		result = ioasid_connect(probe->path, &probe->connection);
	} else if (strcmp(verb, "disconnect") == 0) {
		probe->connection = ioasid_disconnect(probe->connection);
	} else if (strcmp(verb, "call") == 0) {
		result = do_call(probe, out);
	} else if (strcmp(verb, "plan") == 0) {
		result = do_plan(probe, out);
	} else if (strcmp(verb, "claim") == 0) {
		result = do_claim(probe, out);
	} else if (strcmp(verb, "claim_leased") == 0) {
		result = do_claim_leased(probe, out);
	} else if (strcmp(verb, "asked") == 0) {
		result = do_asked(probe, out);
	} else if (strcmp(verb, "watch") == 0) {
		result = ioasid_monitor_open(probe->connection, probe->words > 1 ? probe->word[1] : NULL,
					     &probe->monitor);
	} else if (strcmp(verb, "next") == 0) {
		result = do_next(probe, out);
	} else if (strcmp(verb, "unwatch") == 0) {
		probe->monitor = ioasid_monitor_close(probe->monitor);
	} else if (strcmp(verb, "add") == 0) {
		result = ioasid_claim_add(probe->connection, probe->claim, probe->word[1]);
		describe_claim(probe, out);
	} else if (strcmp(verb, "remove") == 0) {
		result = ioasid_claim_remove(probe->connection, probe->claim, probe->word[1]);
		describe_claim(probe, out);
	} else if (strcmp(verb, "release") == 0) {
		result = ioasid_claim_release(probe->connection, probe->claim);
		probe->claim = NULL;
	} else if (strcmp(verb, "resume") == 0) {
		result = ioasid_claim_resume(probe->connection, probe->claim);
		describe_claim(probe, out);
	} else if (strcmp(verb, "free") == 0) {
		probe->claim = ioasid_claim_free(probe->claim);
	} else if (strcmp(verb, "limit") == 0) {
		result = do_limit(probe);
	}
	return result;
}

static void split(struct probe *probe, char *line)
{
	char *word;

	line[strcspn(line, "\n")] = '\0';
	probe->words = 0;
	while (probe->words < WORDS_MAX && (word = strsep(&line, "\t")) != NULL)
		probe->word[probe->words++] = word;
}

int main(int argc, char **argv)
{
	struct probe probe = { .path = argv[argc - 1] };
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		struct json_object *out = json_object_new_object();

		split(&probe, line);
		json_object_object_add(out, "result", json_object_new_int(execute(&probe, out)));
		if (probe.connection != NULL) {
			json_object_object_add(out, "status",
					       json_object_new_int(ioasid_error_status(probe.connection)));
			add_text(out, "message", ioasid_error_message(probe.connection));
			add_text(out, "name", ioasid_error_name(probe.connection));
			add_text(out, "parameters", ioasid_error_parameters(probe.connection));
		}
		json_object_object_add(out, "fds", json_object_new_int(count_fds()));
		puts(json_object_to_json_string_ext(out, JSON_C_TO_STRING_PLAIN));
		fflush(stdout);
		json_object_put(out);
	}
	ioasid_claim_free(probe.claim);
	ioasid_monitor_close(probe.monitor);
	ioasid_disconnect(probe.connection);
	free(line);
	return 0;
}
