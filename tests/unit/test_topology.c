/* The topology against a plain array, with the same random changes made to both. */
#include "../../policy/util/name_table.h"
#include "fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a topology means, done in the slowest way. */
struct model {
	struct device device[400];
	size_t count;
};

static size_t model_find(const struct model *model, const char *name)
{
	size_t i = 0;

	while (i < model->count && strcmp(model->device[i].name, name) != 0)
		i++;
	return i;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct device *)a)->name, ((const struct device *)b)->name);
}

static void compare(struct topology *topology, struct model *model)
{
	const struct device *members[400], **sorted;
	size_t count, groups = 0;

	qsort(model->device, model->count, sizeof *model->device, by_name);
	assert_int_equal(topology_count(topology), model->count);
	sorted = topology_sorted(topology, &count);
	assert_non_null(sorted);
	assert_int_equal(count, model->count);
	for (size_t i = 0; i < count; i++) {
		assert_memory_equal(sorted[i], &model->device[i], sizeof **sorted);
		assert_ptr_equal(topology_find(topology, model->device[i].name), sorted[i]);
	}
	free(sorted);
	for (int32_t group = -1; group < 12; group++) {
		size_t found = topology_members(topology, group, members, COUNT(members)), expected = 0;

		for (size_t i = 0; i < model->count; i++) {
			if (model->device[i].group != group || group < 0)
				continue;
			assert_true(expected < found);
			assert_string_equal(members[expected]->name, model->device[i].name);
			expected++;
		}
		assert_int_equal(found, expected);
		groups += found > 0;
	}
	assert_int_equal(topology_group_count(topology), groups);
}

static void test_model(void **state)
{
	struct topology *topology = topology_new();
	struct model *model = calloc(1, sizeof *model);
	struct dice dice = dice_of(1);

	for (unsigned round = 0; round < 8000; round++) {
		struct device device;
		char name[DEVICE_NAME_MAX];
		size_t known;

		snprintf(name, sizeof name, "0000:%02x:%02x.0", dice_roll(&dice, 12), dice_roll(&dice, 32));
		known = model_find(model, name);
		if (dice_roll(&dice, 5) < 3) {
			device = device_of(name, (int32_t)dice_roll(&dice, 13) - 1, "e1000");
			assert_int_equal(topology_put(topology, &device), 0);
			model->device[known] = device;
			model->count += known == model->count;
		} else {
			assert_int_equal(topology_remove(topology, name), known < model->count);
			if (known < model->count)
				model->device[known] = model->device[--model->count];
		}
		if (round % 50 == 0)
			compare(topology, model);
	}
	compare(topology, model);
	topology_clear(topology);
	model->count = 0;
	compare(topology, model);
	free(model);
	topology_free(topology);
}

static void test_empty(void **state)
{
	struct topology *topology = topology_new();
	const struct device **sorted;
	size_t count = 5;

	assert_null(topology_find(topology, "0000:01:00.0"));
	assert_false(topology_remove(topology, "0000:01:00.0"));
	assert_int_equal(topology_members(topology, 0, NULL, 0), 0);
	sorted = topology_sorted(topology, &count);
	assert_non_null(sorted);
	assert_int_equal(count, 0);
	free(sorted);
	assert_null(topology_free(topology));
	assert_null(topology_free(NULL));
}

/* More members than the caller has room for: the first are there, and the number is the true one. */
static void test_members_beyond_room(void **state)
{
	struct topology *topology = topology_new();
	const struct device *members[4];

	for (unsigned i = 0; i < 32; i++) {
		char name[DEVICE_NAME_MAX];
		struct device device;

		snprintf(name, sizeof name, "0000:05:%02x.0", 31 - i);
		device = device_of(name, 3, "");
		assert_int_equal(topology_put(topology, &device), 0);
	}
	assert_int_equal(topology_members(topology, 3, members, COUNT(members)), 32);
	assert_string_equal(members[0]->name, "0000:05:00.0");
	assert_string_equal(members[3]->name, "0000:05:03.0");
	topology_free(topology);
}

/* Put again under another group, the device leaves the first; the group without members is gone. */
static void test_group_change(void **state)
{
	struct topology *topology = topology_new();
	struct device device = device_of("0000:01:00.0", 1, "e1000");
	const struct device *members[2];

	assert_int_equal(topology_put(topology, &device), 0);
	device.group = INT32_MAX;
	assert_int_equal(topology_put(topology, &device), 0);
	assert_int_equal(topology_members(topology, 1, members, 2), 0);
	assert_int_equal(topology_members(topology, INT32_MAX, members, 2), 1);
	device.group = -1;
	assert_int_equal(topology_put(topology, &device), 0);
	assert_int_equal(topology_members(topology, INT32_MAX, members, 2), 0);
	assert_int_equal(topology_members(topology, -1, members, 2), 0);
	topology_free(topology);
}

/* Ten thousand devices in a thousand groups, all found, then all removed in another order. */
static void test_ten_thousand(void **state)
{
	struct topology *topology = topology_new();
	const struct device *members[16];
	char name[DEVICE_NAME_MAX];

	for (unsigned i = 0; i < 10000; i++) {
		struct device device;

		snprintf(name, sizeof name, "%04x:%02x:%02x.%x", i >> 16, i >> 8 & 255, i >> 3 & 31, i & 7);
		device = device_of(name, (int32_t)(i % 1000), "");
		assert_int_equal(topology_put(topology, &device), 0);
	}
	assert_int_equal(topology_count(topology), 10000);
	assert_int_equal(topology_group_count(topology), 1000);
	for (int32_t group = 0; group < 1000; group++)
		assert_int_equal(topology_members(topology, group, members, COUNT(members)), 10);
	for (unsigned k = 0; k < 10000; k++) {
		unsigned i = k * 7919 % 10000;

		snprintf(name, sizeof name, "%04x:%02x:%02x.%x", i >> 16, i >> 8 & 255, i >> 3 & 31, i & 7);
		assert_non_null(topology_find(topology, name));
		assert_true(topology_remove(topology, name));
		assert_null(topology_find(topology, name));
	}
	assert_int_equal(topology_count(topology), 0);
	assert_int_equal(topology_group_count(topology), 0);
	topology_free(topology);
}

/* Names whose slots collide are still told apart after some of them went. */
static void test_name_table(void **state)
{
	struct name_table table = { .slot = NULL };
	static char names[3000][8];

	for (unsigned i = 0; i < COUNT(names); i++) {
		snprintf(names[i], sizeof names[i], "%u", i);
		assert_null(name_table_find(&table, names[i]));
		assert_int_equal(name_table_add(&table, names[i], names[i]), 0);
	}
	for (unsigned i = 0; i < COUNT(names); i += 3)
		assert_true(name_table_remove(&table, names[i]));
	for (unsigned i = 0; i < COUNT(names); i++)
		assert_ptr_equal(name_table_find(&table, names[i]), i % 3 == 0 ? NULL : names[i]);
	assert_false(name_table_remove(&table, "0"));
	assert_int_equal(table.count, 2000);
	name_table_done(&table);
	assert_null(name_table_find(&table, "1"));
	assert_false(name_table_remove(&table, "1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_members_beyond_room),
		cmocka_unit_test(test_group_change),
		cmocka_unit_test(test_ten_thousand),
		cmocka_unit_test(test_name_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
