#include "counted_host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct counted_host host;

/* Counts a call. 0: it may go on. */
static int called(struct plan_run *run)
{
	host.calls++;
	if (host.calls == host.gone_at)
		host.now.device[0].gone = true;
	if (host.calls == host.wait_at)
		return HOST_CALL_NOT_YET;
	return host.calls == host.fail_at ? -EXDEV : 0;
}

static struct host_device *of(const struct plan_device *device)
{
	return &host.now.device[strcmp(device->name, CARD) != 0];
}

void host_set(char out[static DRIVER_NAME_MAX], const char *value)
{
	memset(out, 0, DRIVER_NAME_MAX);
	memcpy(out, value, strlen(value));
}

static bool is_there(struct plan_run *run, const struct plan_device *device)
{
	return !of(device)->gone;
}

static bool is_on_vfio(struct plan_run *run, const struct plan_device *device)
{
	return strstr(of(device)->driver, "vfio") && !host.vfio_without_node;
}

static int read_driver(struct plan_run *run, const struct plan_device *device, char out[static DRIVER_NAME_MAX])
{
	memcpy(out, of(device)->driver, DRIVER_NAME_MAX);
	return called(run);
}

static int read_override(struct plan_run *run, const struct plan_device *device, char out[static DRIVER_NAME_MAX])
{
	memcpy(out, of(device)->override, DRIVER_NAME_MAX);
	return called(run);
}

static int write_override(struct plan_run *run, const struct plan_device *device, const char *value)
{
	int error = called(run);

	if (error == 0)
		host_set(of(device)->override, value);
	return error;
}

static int unbind(struct plan_run *run, const struct plan_device *device, const char *driver)
{
	int error = called(run);

	if (error == 0)
		host_set(of(device)->driver, "");
	return error;
}

static int probe(struct plan_run *run, const struct plan_device *device, const char *driver)
{
	int error = called(run);

	if (error == 0)
		host_set(of(device)->driver, driver);
	return error;
}

static bool is_context(struct plan_run *run, bool container)
{
	return host.passed_is_container == container;
}

static int open_context(struct plan_run *run, bool container)
{
	int error = called(run);

	host.now.context = host.now.context || error == 0;
	return error;
}

static void close_context(struct plan_run *run)
{
	host.now.context = false;
}

static int allocate_ioas(struct plan_run *run, uint32_t *ioas)
{
	*ioas = 7;
	return called(run);
}

static int empty_context(struct plan_run *run, bool container, uint32_t ioas)
{
	int error = called(run);

	host.emptied += error == 0;
	return error;
}

/* A thing that a call makes true of the device. */
static int make_true(struct plan_run *run, bool *what)
{
	int error = called(run);

	if (error == 0) {
		assert_false(*what);
		*what = true;
	}
	return error;
}

static int open_device(struct plan_run *run, struct plan_device *device)
{
	return make_true(run, &of(device)->opened);
}

static int bind_device(struct plan_run *run, struct plan_device *device)
{
	return make_true(run, &of(device)->bound);
}

static int attach_device(struct plan_run *run, struct plan_device *device, uint32_t ioas)
{
	assert_int_equal(ioas, 7);
	return make_true(run, &of(device)->attached);
}

static void close_device(struct plan_run *run, struct plan_device *device)
{
	of(device)->opened = of(device)->bound = of(device)->attached = false;
}

static int open_group(struct plan_run *run, struct plan_device *device)
{
	return make_true(run, &of(device)->group_opened);
}

static int join_container(struct plan_run *run, struct plan_device *device)
{
	assert_true(of(device)->group_opened);
	return called(run);
}

static void close_group(struct plan_run *run, struct plan_device *device)
{
	of(device)->group_opened = false;
}

static int open_by_group(struct plan_run *run, struct plan_device *device, const struct plan_device *group)
{
	assert_true(of(group)->group_opened);
	return make_true(run, &of(device)->opened);
}

static int grant(struct plan_run *run, const struct plan_device *device, uid_t uid)
{
	int error = called(run);

	if (error == 0 && device)
		of(device)->granted = true;
	return error;
}

static int revoke_nodes(struct plan_run *run, const struct plan_device *device, uid_t uid)
{
	int error = called(run);

	if (error == 0 && device)
		of(device)->granted = false;
	return error;
}

static int raise_memlock(struct plan_run *run, uint64_t bytes, uint64_t *before)
{
	*before = 64;
	return make_true(run, &host.now.limit_raised);
}

static int put_back_memlock(struct plan_run *run)
{
	int error = called(run);

	if (error == 0)
		host.now.limit_raised = false;
	return error;
}

static int find_holder(struct plan_run *run, const struct plan_device *device)
{
	int error = called(run);

	return error == 0 && host.has_holder ? plan_fail(run, -EBUSY, "%s is held", device->name) : error;
}

static int try_bind(struct plan_run *run, const struct plan_device *device, bool own)
{
	int error = called(run);

	return error == 0 && (host.is_held || host.host_driver) ? -EPERM : error;
}

static int try_group(struct plan_run *run, const struct plan_device *device)
{
	int error = called(run);

	return error == 0 && host.held_by_group ? -EBUSY : error;
}

static bool has_host_driver(struct plan_run *run, const struct plan_device *device)
{
	return host.host_driver;
}

static int wait_for_close(struct plan_run *run, const struct plan_device *device)
{
	return host.patience-- > 0 ? 0 : -ETIMEDOUT;
}

static int read_bus_master(struct plan_run *run, const struct plan_device *device, bool *on)
{
	*on = host.bus_master;
	return called(run);
}

static int reset(struct plan_run *run, const struct plan_device *device)
{
	int error = called(run);

	return error == 0 && host.reset_error ? plan_fail(run, host.reset_error, "it can't be reset") : error;
}

const struct host_calls counted_calls = {
	.is_there = is_there,
	.is_on_vfio = is_on_vfio,
	.read_driver = read_driver,
	.read_override = read_override,
	.write_override = write_override,
	.unbind = unbind,
	.unbind_unused = unbind,
	.probe = probe,
	.is_context = is_context,
	.open_context = open_context,
	.close_context = close_context,
	.allocate_ioas = allocate_ioas,
	.empty_context = empty_context,
	.open_device = open_device,
	.bind_device = bind_device,
	.attach_device = attach_device,
	.close_device = close_device,
	.open_group = open_group,
	.join_container = join_container,
	.close_group = close_group,
	.open_by_group = open_by_group,
	.grant = grant,
	.revoke = revoke_nodes,
	.raise_memlock = raise_memlock,
	.put_back_memlock = put_back_memlock,
	.find_holder = find_holder,
	.try_bind = try_bind,
	.try_group = try_group,
	.has_host_driver = has_host_driver,
	.wait_for_close = wait_for_close,
	.read_bus_master = read_bus_master,
	.reset = reset,
};
