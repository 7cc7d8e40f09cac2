#include "fixture.h"

#include "../../daemon/base/policy_files.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json_tokener.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

static const char devices[] =
	"'devices': [\n"
	"  { 'name': '" BRIDGE "', 'vendor_id': '1b36', 'device_id': '000e', 'class': '060400', 'group': 1 },\n"
	"  { 'name': '" CARD "', 'vendor_id': '1234', 'device_id': '11e8', 'class': '00ff00', 'group': 1,\n"
	"    'parent': '" BRIDGE "', 'driver': 'card', 'reset_methods': ['flr'] },\n"
	"  { 'name': '" SIBLING "', 'vendor_id': '8086', 'device_id': '100e', 'class': '020000', 'group': 1,\n"
	"    'parent': '" BRIDGE "', 'driver': 'e1000' },\n"
	"  { 'name': '" ALONE "', 'vendor_id': '1234', 'device_id': '11e8', 'class': '00ff00', 'group': 2,\n"
	"    'reset_methods': ['flr'] } ] }\n";

static const char policy[] =
	"{ 'rules': [ { 'name': 'all', 'effect': 'allow', 'device': { 'id': ['*'] }, 'lockout': 'unused',\n"
	"               'modes': ['attached', 'open', 'node'], 'limits': { 'memlock': '1M' } } ] }\n";

/* JSON with ' for ". The caller frees it. */
static char *unquote(const char *text)
{
	char *copy = strdup(text);

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	return copy;
}

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
	char path[128], *whole = unquote(text);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
	file = fopen(path, "we");
	if (!file || fputs(whole, file) == EOF || fclose(file) != 0 || chmod(path, 0600) < 0)
		bail_out("%s can't be written: %s", path, strerror(errno));
	free(whole);
}

void fixture_begin(struct fixture *fixture)
{
	fixture_begin_on(fixture, "");
}

void fixture_begin_on(struct fixture *fixture, const char *kernel)
{
	char host[2048];
	struct diagnostics diagnostics = { .count = 0 };
	const char *folder = fixture->folder;
	struct policy *read;

	memset(fixture, 0, sizeof(*fixture));
	fixture->control = -1;
	snprintf(fixture->folder, sizeof(fixture->folder), P_tmpdir "/ioasidd-simulator-XXXXXX");
	if (!mkdtemp(fixture->folder))
		bail_out("no folder: %s", strerror(errno));
	snprintf(fixture->control_path, sizeof(fixture->control_path), "%s/control", fixture->folder);
	write_file(fixture, "policy.json", policy);
	snprintf(host, sizeof(host), "{ %s%s", kernel, devices);
	write_file(fixture, "host", host);
	if (policy_files_load(&folder, 1, &diagnostics, &read) < 0)
		bail_out("the policy has errors");
	fixture->digest = read->digest;
	policy_free(read);
	diagnostics_done(&diagnostics);
}

static void connect_control(struct fixture *fixture)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture->control_path);
	fixture->control = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fixture->control, (struct sockaddr *)&address, sizeof(address)) < 0)
		bail_out("the control socket can't be reached: %s", strerror(errno));
}

void fixture_start(struct fixture *fixture)
{
	char line[512];

	snprintf(line, sizeof(line), SIMULATOR " --control %s %s/host", fixture->control_path, fixture->folder);
	side_start(&fixture->side, line, fixture->folder);
	/* It has greeted us, so its control socket is there. */
	connect_control(fixture);
}

void fixture_start_staying(struct fixture *fixture)
{
	char path[96], ready[16] = "";
	int pair[2];

	snprintf(path, sizeof(path), "%s/host", fixture->folder);
	if (pipe2(pair, O_CLOEXEC) < 0)
		bail_out("no pipe");
	fixture->staying = fork();
	if (fixture->staying == 0) {
		dup2(pair[1], STDOUT_FILENO);
		execl(SIMULATOR, SIMULATOR, "--stay", "--control", fixture->control_path, path, (char *)NULL);
		_exit(127);
	}
	close(pair[1]);
	if (read(pair[0], ready, sizeof(ready)) <= 0 || strcmp(ready, "ready\n") != 0)
		bail_out("the simulator does not get ready");
	close(pair[0]);
	connect_control(fixture);
}

void fixture_attach(struct fixture *fixture)
{
	char line[512];

	snprintf(line, sizeof(line), SIMULATOR " --attach %s", fixture->control_path);
	side_start(&fixture->side, line, fixture->folder);
}

void fixture_end(struct fixture *fixture)
{
	char path[128];
	int status;

	descriptor_close(&fixture->control);
	if (fixture->staying) {
		kill(fixture->staying, SIGTERM);
		waitpid(fixture->staying, &status, 0);
		unlink(fixture->control_path);
	}
	snprintf(path, sizeof(path), "%s/policy.json", fixture->folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/host", fixture->folder);
	unlink(path);
	if (rmdir(fixture->folder) < 0)
		bail_out("%s is not empty: something was left behind", fixture->folder);
}

struct json_object *command(struct fixture *fixture, const char *text)
{
	char *line = unquote(text);
	size_t length = 0, room = 1 << 20;
	char *answer = malloc(room);
	struct json_object *object;

	if (send(fixture->control, line, strlen(line), MSG_NOSIGNAL) < 0 ||
	    send(fixture->control, "\n", 1, MSG_NOSIGNAL) < 0)
		bail_out("%s can't be sent", text);
	while (length == 0 || answer[length - 1] != '\n') {
		ssize_t got = recv(fixture->control, answer + length, room - length, 0);

		if (got <= 0)
			bail_out("no answer to %s", text);
		length += (size_t)got;
	}
	answer[length - 1] = '\0';
	object = json_tokener_parse(answer);
	if (!object)
		bail_out("the answer to %s is no JSON: %s", text, answer);
	free(answer);
	free(line);
	return object;
}

void command_ok(struct fixture *fixture, const char *text)
{
	struct json_object *answer = command(fixture, text), *ok;

	if (!json_object_object_get_ex(answer, "ok", &ok) || !json_object_get_boolean(ok))
		bail_out("%s: %s", text, json_object_to_json_string(answer));
	json_object_put(answer);
}

void command_refused(struct fixture *fixture, const char *text, const char *fragment)
{
	struct json_object *answer = command(fixture, text), *error;

	if (!json_object_object_get_ex(answer, "error", &error) || !strstr(json_object_get_string(error), fragment))
		bail_out("%s: %s", text, json_object_to_json_string(answer));
	json_object_put(answer);
}

char *host_now(struct fixture *fixture)
{
	struct json_object *answer = command(fixture, "{ 'state': true }"), *now;
	char *text;

	if (!json_object_object_get_ex(answer, "host", &now))
		bail_out("there is no host in %s", json_object_to_json_string(answer));
	text = strdup(json_object_to_json_string(now));
	json_object_put(answer);
	return text;
}

struct device known(struct fixture *fixture, const char *name)
{
	const struct device *device = topology_find(fixture->side.topology, name);

	if (!device)
		bail_out("%s is not there", name);
	return *device;
}

struct plan claim_plan(struct fixture *fixture, const char *asked, const char *locked_out)
{
	struct claim_device device[2] = { { .before = known(fixture, asked) } };
	struct plan plan = { .count = 0 };
	size_t count = 1;

	if (locked_out)
		device[count++] = (struct claim_device){ .before = known(fixture, locked_out), .lockout = true };
	if (plan_for_claim(&plan, device, count, &fixture->delivery) < 0)
		bail_out("no plan could be made");
	return plan;
}

struct plan release_plan(struct fixture *fixture, const struct device *asked, const struct device *locked_out)
{
	struct claim_device device[2] = { { .before = *asked, .reset = RESET_REQUIRE, .restore = true } };
	struct plan plan = { .count = 0 };
	size_t count = 1;

	if (locked_out)
		device[count++] = (struct claim_device){ .before = *locked_out, .lockout = true, .restore = true };
	if (plan_for_release(&plan, device, count, &(struct giving_back){ .interface = fixture->delivery.interface }) <
	    0)
		bail_out("no plan could be made");
	return plan;
}

/* A claim is called after the first device that it asks for: so whoever releases one finds its name again. */
void fixture_own(const struct plan *plan, struct wire_enclosure *enclosure)
{
	uint64_t hash = 0xcbf29ce484222325u;
	const char *device = "";

	for (size_t i = 0; i < plan->count && !*device; i++)
		if (step_takes_device(&plan->step[i]) || (plan->step[i].kind >= STEP_REVOKE && plan->step[i].device[0]))
			device = plan->step[i].device;
	for (; *device; device++)
		hash = (hash ^ (unsigned char)*device) * 0x100000001b3u;
	snprintf(enclosure->owner.claim, sizeof(enclosure->owner.claim), "%032llx", (unsigned long long)hash);
	snprintf(enclosure->owner.rule, sizeof(enclosure->owner.rule), "all");
}

static uint64_t send_plan(struct fixture *fixture, enum wire_plan_kind kind, const struct plan *plan)
{
	struct wire_enclosure enclosure = { .context = -1, .peer_fd = -1, .owner.subject.uid = fixture->delivery.uid };

	fixture_own(plan, &enclosure);
	return side_send_plan(&fixture->side, kind, fixture->digest, plan, &enclosure);
}

uint64_t send_claim(struct fixture *fixture, const struct plan *plan)
{
	return send_plan(fixture, WIRE_PLAN_CLAIM, plan);
}

uint64_t send_release(struct fixture *fixture, const struct plan *plan)
{
	return send_plan(fixture, WIRE_PLAN_RELEASE, plan);
}

struct result run_claim_plan(struct fixture *fixture, const struct plan *plan)
{
	return side_await_result(&fixture->side, send_claim(fixture, plan));
}

struct result run_release_plan(struct fixture *fixture, const struct plan *plan)
{
	return side_await_result(&fixture->side, send_release(fixture, plan));
}
