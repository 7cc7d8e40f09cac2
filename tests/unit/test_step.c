/* Steps of plans: what one may look like, and how it reads. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

static struct step step_of(enum step_kind kind, const char *device, const char *value, const char *before,
			   uint64_t number)
{
	struct step step = { .kind = kind, .number = number };

	snprintf(step.device, sizeof step.device, "%s", device);
	snprintf(step.value, sizeof step.value, "%s", value);
	snprintf(step.before, sizeof step.before, "%s", before);
	return step;
}

static void test_sanity(void **state)
{
	static const char d[] = "0000:01:00.0";
	const struct step bad[] = {
		step_of(STEP_KIND_COUNT, d, "", "", 0),
		step_of(STEP_OVERRIDE, "", "vfio-pci", "", 0),
		step_of(STEP_OVERRIDE, d, "", "", 0),
		step_of(STEP_OVERRIDE, d, "a/b", "", 0),
		step_of(STEP_OVERRIDE, d, "vfio-pci", "a b", 0),
		step_of(STEP_OVERRIDE, d, "vfio-pci", "", 1),
		step_of(STEP_OVERRIDE, "0000:01:00", "vfio-pci", "", 0),
		step_of(STEP_OVERRIDE, "0000:0A:00.0", "vfio-pci", "", 0),
		step_of(STEP_OVERRIDE, "../0000:01:00.0", "vfio-pci", "", 0),
		step_of(STEP_UNBIND, d, "", "", 0),
		step_of(STEP_UNBIND, d, "x", "e1000", 0),
		step_of(STEP_PROBE, d, "", "", 0),
		step_of(STEP_PROBE, d, "vfio-pci", "x", 0),
		step_of(STEP_CONTEXT, d, "", "", 0),
		step_of(STEP_CONTEXT, "", "", "", 2),
		step_of(STEP_CONTEXT, "", "x", "", 0),
		step_of(STEP_OPEN, "", "", "", 0),
		step_of(STEP_OPEN, d, "x", "", 0),
		step_of(STEP_BIND, d, "", "", 3),
		step_of(STEP_IOAS, "", "", "", UINT64_C(1) << 32),
		step_of(STEP_IOAS, d, "", "", 0),
		step_of(STEP_MEMLOCK, "", "", "", 0),
		step_of(STEP_CONTAINER, "", "", "", 2),
		step_of(STEP_CONTAINER, d, "", "", 0),
		step_of(STEP_GROUP, "", "", "", 0),
		step_of(STEP_GROUP, d, "", "", 1),
		step_of(STEP_GROUP_DEVICE, "", "", "", 0),
		step_of(STEP_GROUP_DEVICE, d, "", "", 2),
		step_of(STEP_GRANT, d, "", "", UINT32_MAX),
		step_of(STEP_GRANT, d, "x", "", 0),
		step_of(STEP_REVOKE, d, "", "", UINT32_MAX),
		step_of(STEP_REVOKE, "x", "", "", 0),
		step_of(STEP_UNMAP, d, "", "", 0),
		step_of(STEP_UNMAP, "", "", "", UINT64_C(1) << 32),
		step_of(STEP_PROVE_NO_HOLDER, d, "", "", 2),
		step_of(STEP_PROVE_GROUP_FREE, "", "", "", 0),
		step_of(STEP_PROVE_GROUP_FREE, d, "", "", 3),
		step_of(STEP_PROVE_UNBOUND, d, "", "", 3),
		step_of(STEP_RESET, d, "", "", RESET_DEMAND_COUNT),
		step_of(STEP_UNBIND_VFIO, d, "", "", 0),
		step_of(STEP_RESTORE, d, "..", "", 0),
		step_of(STEP_RESTORE, "", "", "", 0),
	};
	struct step step;

	for (size_t i = 0; i < COUNT(bad); i++)
		if (step_is_sane(&bad[i]))
			fail_msg("bad step %zu is taken for sane", i);
	step = step_of(STEP_OVERRIDE, d, "vfio-pci", "", 0);
	assert_true(step_is_sane(&step));
	step.reserved = 1;
	assert_false(step_is_sane(&step));
	step = step_of(STEP_CONTEXT, "", "", "", 0);
	step.identity = 1;
	assert_false(step_is_sane(&step));
	step = step_of(STEP_GRANT, "", "", "", 1000);
	assert_true(step_is_sane(&step));
	step.identity = 1;
	assert_false(step_is_sane(&step));
	for (unsigned field = 0; field < 3; field++) {
		step = step_of(STEP_RESTORE, d, "e1000", "", 0);
		assert_true(step_is_sane(&step));
		memset(field == 0 ? step.device : field == 1 ? step.value : step.before, '0', DEVICE_NAME_MAX);
		assert_false(step_is_sane(&step));
	}
}

static void test_descriptions(void **state)
{
	static const char d[] = "0000:02:02.0";
	const struct {
		struct step step;
		const char *text;
	} cases[] = {
		{ step_of(STEP_UNBIND, d, "", "e1000", 0), "unbind e1000 from 0000:02:02.0" },
		{ step_of(STEP_OVERRIDE, d, PINNED_OVERRIDE, "", 0), "pin 0000:02:02.0 so that no driver binds" },
		{ step_of(STEP_PROBE, d, "vfio-pci", "", 0), "bind vfio-pci to 0000:02:02.0" },
		{ step_of(STEP_CONTEXT, "", "", "", 1), "use the claim's iommufd" },
		{ step_of(STEP_CONTAINER, "", "", "", 0), "open a new VFIO container" },
		{ step_of(STEP_CONTAINER, "", "", "", 1), "use the claim's VFIO container" },
		{ step_of(STEP_GROUP_DEVICE, d, "", "", 0), "open 0000:02:02.0 by its IOMMU group" },
		{ step_of(STEP_GRANT, d, "", "", 1000), "grant user 1000 access to the nodes of 0000:02:02.0" },
		{ step_of(STEP_GRANT, "", "", "", 1000), "grant user 1000 access to the VFIO container" },
		{ step_of(STEP_REVOKE, "", "", "", 1000), "revoke the access of user 1000 to the VFIO container" },
		{ step_of(STEP_MEMLOCK, "", "", "", 64 << 20), "let the client lock 64 MiB of memory" },
		{ step_of(STEP_MEMLOCK, "", "", "", 5), "let the client lock 5 bytes of memory" },
		{ step_of(STEP_MEMLOCK, "", "", "", UINT64_MAX), "let the client lock any amount of memory" },
		{ step_of(STEP_RESTORE, d, "e1000", "", 0), "return 0000:02:02.0 to the driver e1000" },
		{ step_of(STEP_RESTORE, d, "e1000", "x", 0),
		  "return 0000:02:02.0 to the driver e1000, with driver_override x" },
		{ step_of(STEP_RESTORE, d, "", PINNED_OVERRIDE, 0),
		  "leave 0000:02:02.0 without a driver, pinned so that no driver binds" },
		{ step_of(STEP_RESET, d, "", "", RESET_TRY), "reset 0000:02:02.0 if it can be reset" },
	};
	char text[TEXT_MAX], other[TEXT_MAX];

	for (size_t i = 0; i < COUNT(cases); i++)
		assert_string_equal(step_describe(&cases[i].step, text, sizeof text), cases[i].text);
	/* Each kind has a sentence of its own. */
	for (unsigned i = 0; i < STEP_KIND_COUNT; i++) {
		struct step step = step_of((enum step_kind)i, d, "v", "b", 1);

		assert_non_null(step_kind_to_string((enum step_kind)i));
		step_describe(&step, text, sizeof text);
		assert_true(strlen(text) > 10);
		for (unsigned k = 0; k < i; k++) {
			step.kind = k;
			if (k != STEP_UNBIND || i != STEP_UNBIND_VFIO)
				assert_string_not_equal(step_describe(&step, other, sizeof other), text);
		}
	}
	assert_null(step_kind_to_string(STEP_KIND_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sanity),
		cmocka_unit_test(test_descriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
