#include "claim_files.h"

#include "../../policy/util/json_write.h"
#include "../../policy/util/json_text.h"
#include "../../policy/util/text.h"
#include "descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { JOURNAL_FILE_MAX = 256 * 1024, JOURNAL_VERSION = 1, FILE_DEPTH_MAX = 7 };

/* How a file begins, with the checksum of what comes then, up to the last brace. */
#define FILE_BEGIN "{\"checksum\":\"%016llx\",\"claim\":"

int claim_files_open(const char *runtime_folder)
{
	autoclose int folder = open(runtime_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (folder < 0)
		return -errno;
	if (mkdirat(folder, "claims", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(folder, "claims", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int error = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;

		descriptor_close(&fd);
		return error;
	}
	return fd < 0 ? -errno : fd;
}

bool claim_files_file_claim(const char *file, char id[static CLAIM_ID_MAX])
{
	if (strlen(file) != 32 + 5 || strcmp(file + 32, ".json") != 0)
		return false;

	char copy[33];

	memcpy(copy, file, 32);
	copy[32] = '\0';
	if (!claim_id_is_valid(copy))
		return false;
	memcpy(id, copy, sizeof(copy));
	return true;
}

/* FNV-1a: finds the flipped bit and the cut file, no more is needed of it. */
static uint64_t checksum(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	return hash;
}

static struct json_object *device_to_json(const struct claim_device *entry)
{
	struct json_object *object = json_make_object();

	json_set(object, "name", json_make_string(entry->before.name));
	json_set(object, "kind", json_make_string(device_kind_to_string((enum device_kind)entry->before.kind)));
	json_set(object, "driver", json_make_string(entry->before.driver));
	json_set(object, "driver_override", json_make_string(entry->before.driver_override));
	json_set(object, "vfio_node", json_make_string(entry->before.vfio_node));
	json_set(object, "group", json_make_number(entry->before.group));
	json_set(object, "identity", json_make_unsigned(entry->before.identity));
	json_set(object, "lockout", json_make_truth(entry->lockout));
	json_set(object, "reset", json_make_string(reset_demand_to_string(entry->reset)));
	json_set(object, "restore", json_make_truth(entry->restore));
	return object;
}

static struct json_object *claim_to_json(const char *boot_id, const struct claim *claim)
{
	struct json_object *object = json_make_object();
	struct json_object *devices = json_make_array();
	char note[TEXT_MAX];

	/* A sentence that was cut in the middle of a character must not make the whole file unreadable. */
	text_escape(note, sizeof(note), claim->note, strlen(claim->note));
	json_set(object, "version", json_make_number(JOURNAL_VERSION));
	json_set(object, "boot_id", json_make_string(boot_id));
	json_set(object, "id", json_make_string(claim->id));
	json_set(object, "rule", json_make_string(claim->rule));
	json_set(object, "uid", json_make_number(claim->uid));
	json_set(object, "gid", json_make_number(claim->gid));
	json_set(object, "pid", json_make_number(claim->pid));
	json_set(object, "mode", json_make_string(delivery_mode_to_string(claim->mode)));
	json_set(object, "interface", json_make_string(vfio_interface_to_string(claim->interface)));
	json_set(object, "state", json_make_string(claim_state_to_string(claim->state)));
	json_set(object, "since", json_make_unsigned(claim->since));
	json_set(object, "ioas_id", json_make_number(claim->ioas_id));
	json_set(object, "memlock", json_make_unsigned(claim->memlock));
	json_set(object, "note", json_make_string(note));
	json_set(object, "lease", json_make_string(lease_kind_to_string(claim->lease.kind)));
	json_set(object, "lease_unit", json_make_string(claim->lease.unit));
	json_set(object, "lease_invocation", json_make_string(claim->lease.invocation));
	json_set(object, "unit", json_make_string(claim->unit));
	json_set(object, "revoked", json_make_truth(claim->revoked));
	json_set(object, "changing", json_make_string(claim->changing));
	json_set(object, "adding", json_make_truth(claim->adding));
	json_set(object, "lease_lost", json_make_truth(claim->lease_lost));
	for (size_t i = 0; i < claim->device_count; i++)
		json_add(devices, device_to_json(&claim->device[i]));
	json_set(object, "devices", devices);
	return object;
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		text += written;
		length -= (size_t)written;
	}
	return 0;
}

/* Writes text under a second name and moves it over the first, so that a reader sees the old or the new, whole. */
static int replace_file(int claim_files, const char *name, const char *text, size_t length)
{
	char temporary[64];
	int error;

	snprintf(temporary, sizeof(temporary), ".%s.new", name);

	autoclose int fd = openat(claim_files, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	error = write_all(fd, text, length);
	if (error == 0 && renameat(claim_files, temporary, claim_files, name) < 0)
		error = -errno;
	if (error < 0)
		unlinkat(claim_files, temporary, 0);
	return error;
}

int claim_files_write(int claim_files, const char *boot_id, const struct claim *claim)
{
	struct json_object *object = claim_to_json(boot_id, claim);
	const char *body = json_text(object);
	char name[CLAIM_ID_MAX + 8];
	char *text = NULL;
	int length = body ? asprintf(&text, FILE_BEGIN "%s}", (unsigned long long)checksum(body), body) : -1;
	int error;

	if (length < 0) {
		json_object_put(object);
		return -ENOMEM;
	}
	snprintf(name, sizeof(name), "%s.json", claim->id);
	error = replace_file(claim_files, name, text, (size_t)length);
	free(text);
	json_object_put(object);
	return error;
}

int claim_files_remove(int claim_files, const char *claim_id)
{
	char name[CLAIM_ID_MAX + 8];

	snprintf(name, sizeof(name), "%s.json", claim_id);
	return unlinkat(claim_files, name, 0) < 0 ? -errno : 0;
}

int claim_files_set_aside(int claim_files, const char *file)
{
	char name[300];

	snprintf(name, sizeof(name), "%.255s.corrupt", file);
	return renameat(claim_files, file, claim_files, name) < 0 ? -errno : 0;
}

/* Copies a string member of fitting length; false if it is not there, no string, or too long. */
static bool get_text(struct json_object *object, const char *key, char *out, size_t size)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_string))
		return false;
	if ((size_t)json_object_get_string_len(value) >= size || strlen(json_object_get_string(value)) >= size)
		return false;
	memset(out, 0, size);
	memcpy(out, json_object_get_string(value), strlen(json_object_get_string(value)));
	return true;
}

static bool get_number(struct json_object *object, const char *key, int64_t least, int64_t most, int64_t *out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int))
		return false;
	*out = json_object_get_int64(value);
	return *out >= least && *out <= most;
}

static bool get_unsigned(struct json_object *object, const char *key, uint64_t *out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_int))
		return false;
	*out = json_object_get_uint64(value);
	return true;
}

static bool get_truth(struct json_object *object, const char *key, bool *out)
{
	struct json_object *value;

	if (!json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, json_type_boolean))
		return false;
	*out = json_object_get_boolean(value);
	return true;
}

static bool device_from_json(struct json_object *object, struct claim_device *out)
{
	char reset[16], kind[32] = "pci";
	int64_t group;
	int demand, number;

	/* Files of before there were several kinds do not name it. */
	if ((json_object_object_get_ex(object, "kind", NULL) && !get_text(object, "kind", kind, sizeof(kind))) ||
	    !get_text(object, "name", out->before.name, sizeof(out->before.name)) ||
	    !get_text(object, "driver", out->before.driver, sizeof(out->before.driver)) ||
	    !get_text(object, "driver_override", out->before.driver_override, sizeof(out->before.driver_override)) ||
	    !get_text(object, "vfio_node", out->before.vfio_node, sizeof(out->before.vfio_node)) ||
	    !get_number(object, "group", -1, INT32_MAX, &group) ||
	    !get_unsigned(object, "identity", &out->before.identity) || !get_truth(object, "lockout", &out->lockout) ||
	    !get_truth(object, "restore", &out->restore) || !get_text(object, "reset", reset, sizeof(reset)))
		return false;
	demand = reset_demand_from_string(reset);
	number = device_kind_from_string(kind);
	if (number < 0)
		return false;
	out->before.kind = (uint32_t)number;
	out->before.group = (int32_t)group;
	out->before.numa_node = -1;
	out->reset = (uint32_t)demand;
	return demand >= 0 && device_is_sane(&out->before);
}

static bool claim_from_json(struct json_object *object, struct claim *out)
{
	char mode[16], interface[16], state[16], lease[16];
	int64_t uid, gid, pid, ioas_id;
	int mode_value, interface_value, state_value, lease_value;

	if (!get_text(object, "id", out->id, sizeof(out->id)) || !claim_id_is_valid(out->id) ||
	    !get_text(object, "rule", out->rule, sizeof(out->rule)) || !get_text(object, "mode", mode, sizeof(mode)) ||
	    !get_text(object, "state", state, sizeof(state)) ||
	    !get_text(object, "interface", interface, sizeof(interface)) ||
	    !get_number(object, "uid", 0, UINT32_MAX, &uid) || !get_number(object, "gid", 0, UINT32_MAX, &gid) ||
	    !get_number(object, "pid", 0, INT32_MAX, &pid) || !get_unsigned(object, "since", &out->since) ||
	    !get_number(object, "ioas_id", 0, UINT32_MAX, &ioas_id) ||
	    !get_unsigned(object, "memlock", &out->memlock) ||
	    !get_text(object, "note", out->note, sizeof(out->note)) ||
	    !get_text(object, "changing", out->changing, sizeof(out->changing)) ||
	    !get_truth(object, "revoked", &out->revoked) || !get_text(object, "lease", lease, sizeof(lease)) ||
	    !get_text(object, "lease_unit", out->lease.unit, sizeof(out->lease.unit)) ||
	    !get_text(object, "lease_invocation", out->lease.invocation, sizeof(out->lease.invocation)) ||
	    !get_text(object, "unit", out->unit, sizeof(out->unit)))
		return false;
	/* Earlier versions did not write these. */
	if (!get_truth(object, "adding", &out->adding))
		out->adding = false;
	if (!get_truth(object, "lease_lost", &out->lease_lost))
		out->lease_lost = false;
	mode_value = delivery_mode_from_string(mode);
	state_value = claim_state_from_string(state);
	interface_value = vfio_interface_from_string(interface);
	lease_value = lease_kind_from_string(lease);
	if (mode_value < 0 || state_value < 0 || interface_value < 0 || lease_value < 0)
		return false;
	out->lease.kind = (enum lease_kind)lease_value;
	out->interface = (enum vfio_interface)interface_value;
	out->mode = (enum delivery_mode)mode_value;
	out->state = (enum claim_state)state_value;
	out->uid = (uid_t)uid;
	out->gid = (gid_t)gid;
	out->pid = (pid_t)pid;
	out->ioas_id = (uint32_t)ioas_id;
	return true;
}

static bool devices_from_json(struct json_object *object, struct claim *out)
{
	struct json_object *devices;
	size_t count;

	if (!json_object_object_get_ex(object, "devices", &devices) || !json_object_is_type(devices, json_type_array))
		return false;
	count = json_object_array_length(devices);
	if (count == 0 || count > CLAIM_DEVICES_MAX * GROUP_MEMBERS_MAX)
		return false;
	out->device = calloc(count, sizeof(*out->device));
	if (!out->device)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!device_from_json(json_object_array_get_idx(devices, i), &out->device[i]))
			return false;
	out->device_count = count;
	return true;
}

/* The object that a text is of, whole, or NULL: json-c leaves out what it has no memory for, and does not always say
 * so. */
static struct json_object *parse(const char *text)
{
	struct json_object *object = NULL;
	struct json_problem problem;
	const char *again;

	if (json_text_read(text, strlen(text), JSON_MESSAGE, FILE_DEPTH_MAX, &object, &problem) < 0)
		return NULL;
	again = json_text(object);
	if (again && strcmp(again, text) == 0)
		return object;
	json_object_put(object);
	return NULL;
}

/* True if there is not enough memory for a whole file, or it may be so. */
static bool is_short_of_memory(void)
{
	/* Else the compiler knows better. */
	void *volatile probe = malloc(JOURNAL_FILE_MAX);
	bool is_short = !probe;

	free(probe);
	return is_short;
}

/* The claim's text in a file's, which is cut off there, or NULL where it is not the one that was written. */
static const char *find_body(char *text)
{
	size_t length = strlen(text), begin = sizeof(FILE_BEGIN) - sizeof("%016llx") + 16;
	char expected[sizeof(FILE_BEGIN) + 16];

	if (length <= begin || text[length - 1] != '}')
		return NULL;
	text[length - 1] = '\0';
	snprintf(expected, sizeof(expected), FILE_BEGIN, (unsigned long long)checksum(text + begin));
	return strncmp(text, expected, begin) == 0 ? text + begin : NULL;
}

/* Parses and checks a whole file: a verdict, or -ENOMEM. */
static int judge(char *text, const char *boot_id, struct claim *claim)
{
	const char *body = find_body(text);
	struct json_object *object = body ? parse(body) : NULL;
	struct claim read = { 0 };
	char written_boot[64];
	int64_t version;
	int verdict = CLAIM_FILE_CORRUPT;

	if (!body)
		return CLAIM_FILE_CORRUPT;
	/* It is as it was written: what can't be read twice, though there is memory, was written by somebody else. */
	if (!object)
		object = parse(body);
	if (!object)
		return is_short_of_memory() ? -ENOMEM : CLAIM_FILE_CORRUPT;
	if (json_object_is_type(object, json_type_object) &&
	    get_number(object, "version", JOURNAL_VERSION, JOURNAL_VERSION, &version) &&
	    get_text(object, "boot_id", written_boot, sizeof(written_boot))) {
		errno = 0;
		if (strcmp(written_boot, boot_id) != 0)
			verdict = CLAIM_FILE_STALE;
		else if (claim_from_json(object, &read) && devices_from_json(object, &read))
			verdict = CLAIM_FILE_READ;
		else if (errno == ENOMEM)
			verdict = -ENOMEM;
	}
	if (verdict == CLAIM_FILE_READ)
		*claim = read;
	else
		free(read.device);
	json_object_put(object);
	return verdict;
}

int claim_files_read(int claim_files, const char *file, const char *boot_id, struct claim *claim)
{
	autoclose int fd = openat(claim_files, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;
	char *text;
	size_t done = 0;
	int verdict;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size <= 0 || status.st_size > JOURNAL_FILE_MAX)
		return CLAIM_FILE_CORRUPT;
	text = calloc(1, (size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (done < (size_t)status.st_size) {
		ssize_t got = read(fd, text + done, (size_t)status.st_size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	verdict = done == (size_t)status.st_size && strlen(text) == done ? judge(text, boot_id, claim)
									 : CLAIM_FILE_CORRUPT;
	free(text);
	return verdict;
}

char **claim_files_list(int claim_files, size_t *count)
{
	int fd = openat(claim_files, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	char **list = calloc(1, sizeof(*list));
	size_t found = 0;
	struct dirent *entry;

	if (!stream || !list) {
		if (stream)
			closedir(stream);
		else
			descriptor_close(&fd);
		free(list);
		return NULL;
	}
	while ((entry = readdir(stream))) {
		char **grown;
		size_t length = strlen(entry->d_name);

		if (entry->d_name[0] == '.' || length < 5 || strcmp(entry->d_name + length - 5, ".json") != 0)
			continue;
		grown = realloc(list, (found + 2) * sizeof(*list));
		if (grown)
			list = grown;
		if (!grown || !(list[found] = strdup(entry->d_name))) {
			while (found > 0)
				free(list[--found]);
			free(list);
			list = NULL;
			break;
		}
		found++;
	}
	closedir(stream);
	*count = found;
	return list;
}

/* True for ".ID.json.new", and nothing else: as replace_file() names them. */
static bool is_unfinished(const char *file)
{
	static const char suffix[] = ".new";
	size_t length = strlen(file), end = sizeof(suffix) - 1;
	char name[CLAIM_ID_MAX + 8], id[CLAIM_ID_MAX];

	if (file[0] != '.' || length <= end + 1 || length - end - 1 >= sizeof(name) ||
	    strcmp(file + length - end, suffix) != 0)
		return false;
	memcpy(name, file + 1, length - end - 1);
	name[length - end - 1] = '\0';
	return claim_files_file_claim(name, id);
}

void claim_files_drop_unfinished(int claim_files)
{
	int fd = openat(claim_files, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!stream)
		descriptor_close(&fd);
	while (stream && (entry = readdir(stream)))
		if (is_unfinished(entry->d_name))
			unlinkat(claim_files, entry->d_name, 0);
	if (stream)
		closedir(stream);
}
