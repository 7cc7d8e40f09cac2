/* The ledger: arbitration exhaustively for two claims and three devices, and by a random model for more. */
#include "fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct claim_device claim_device_of(const char *name, bool lockout)
{
	return (struct claim_device){ .before = device_of(name, 1, "e1000"), .lockout = lockout, .restore = true };
}

static struct claim *add(struct ledger *ledger, const char *id)
{
	struct claim made = { .id = "" }, *claim;

	snprintf(made.id, sizeof made.id, "%s", id);
	assert_int_equal(ledger_add(ledger, &made, &claim), 0);
	assert_string_equal(claim->id, id);
	return claim;
}

static void test_claims(void **state)
{
	struct ledger *ledger = ledger_new();
	struct claim *a, *b, *c, *untouched = (struct claim *)state;
	struct claim endless = { .rule = "" };

	assert_null(ledger_first(ledger));
	a = add(ledger, "a");
	b = add(ledger, "b");
	c = add(ledger, "c");
	assert_int_equal(ledger_add(ledger, &(struct claim){ .id = "b" }, &untouched), -EEXIST);
	assert_int_equal(ledger_add(ledger, &(struct claim){ .id = "" }, &untouched), -EINVAL);
	memset(endless.id, 'x', sizeof endless.id);
	assert_int_equal(ledger_add(ledger, &endless, &untouched), -EINVAL);
	assert_int_equal(ledger_add(ledger, &(struct claim){ .id = "a\nb" }, &untouched), -EINVAL);
	assert_ptr_equal(untouched, state);
	assert_int_equal(ledger_count(ledger), 3);
	assert_ptr_equal(ledger_find(ledger, "b"), b);
	assert_null(ledger_find(ledger, "d"));
	assert_ptr_equal(ledger_first(ledger), a);
	assert_ptr_equal(ledger_next(a), b);
	assert_ptr_equal(ledger_next(b), c);
	assert_null(ledger_next(c));
	ledger_remove(ledger, b);
	assert_ptr_equal(ledger_next(a), c);
	assert_null(ledger_find(ledger, "b"));
	ledger_remove(ledger, a);
	assert_ptr_equal(ledger_first(ledger), c);
	b = add(ledger, "b");
	assert_ptr_equal(ledger_next(c), b);
	assert_null(ledger_free(ledger));
	assert_null(ledger_free(NULL));
}

/*
 * Every state that two claims and three devices can be in, and from each every operation: only one claim can have a
 * device, a refusal changes nothing, and what is given back is free. A state: three digits, 0 free, 1 and 2 the claims.
 */
static void test_exclusive_exhaustively(void **state)
{
	static const char *const names[] = { "0000:01:00.0", "0000:01:00.1", "0000:01:00.2" };

	for (unsigned begin = 0; begin < 27 * 6; begin++) {
		unsigned owner[3] = { begin % 3, begin / 3 % 3, begin / 9 % 3 };
		unsigned device = begin / 27 % 3, who = begin / 81 + 1;
		struct ledger *ledger = ledger_new();
		struct claim *claims[3] = { NULL, add(ledger, "one"), add(ledger, "two") };
		struct claim_device wanted = claim_device_of(names[device], false);
		int expected = owner[device] == 0 ? 0 : owner[device] == who ? -EEXIST : -EBUSY;

		for (unsigned i = 0; i < 3; i++) {
			struct claim_device taken = claim_device_of(names[i], i == 1);

			if (owner[i])
				assert_int_equal(ledger_take(ledger, claims[owner[i]], &taken), 0);
		}
		assert_int_equal(ledger_take(ledger, claims[who], &wanted), expected);
		if (expected == 0)
			owner[device] = who;
		for (unsigned round = 0; round < 2; round++) {
			for (unsigned i = 0; i < 3; i++) {
				const struct claim_device *entry = NULL;

				assert_ptr_equal(ledger_owner(ledger, names[i], &entry), claims[owner[i]]);
				if (owner[i])
					assert_string_equal(entry->before.name, names[i]);
				else
					assert_null(entry);
				for (unsigned k = 1; k < 3; k++)
					assert_int_equal(claim_find_device(claims[k], names[i]) != NULL, owner[i] == k);
			}
			/* Then given back, which only its owner can. */
			assert_int_equal(ledger_give_back(ledger, claims[who], names[device]), owner[device] == who);
			if (owner[device] == who)
				owner[device] = 0;
		}
		ledger_free(ledger);
	}
}

/* What the ledger means, in the slowest way: who has which device, in the order of taking. */
struct model {
	int claim_of[64]; /* -1: free */
	bool lockout[64];
	unsigned when[64];
};
enum { MODEL_CLAIMS = 6, MODEL_DEVICES = 64 };

static void compare(const struct ledger *ledger, struct claim *const claims[], const struct model *model)
{
	for (int c = 0; c < MODEL_CLAIMS; c++) {
		size_t count = 0;
		unsigned when = 0;

		for (unsigned d = 0; d < MODEL_DEVICES; d++)
			count += model->claim_of[d] == c;
		assert_int_equal(claims[c]->device_count, count);
		for (size_t i = 0; i < count; i++) {
			const struct claim_device *entry, *device = &claims[c]->device[i];
			unsigned d = (unsigned)strtoul(device->before.name + 5, NULL, 16);

			assert_int_equal(model->claim_of[d], c);
			assert_int_equal(model->lockout[d], device->lockout);
			assert_true(model->when[d] > when);
			when = model->when[d];
			assert_ptr_equal(ledger_owner(ledger, device->before.name, &entry), claims[c]);
			assert_ptr_equal(entry, device);
		}
	}
}

static void test_model(void **state)
{
	struct ledger *ledger = ledger_new();
	struct claim *claims[MODEL_CLAIMS];
	struct dice dice = dice_of(2);
	struct model model;
	char text[16];

	for (unsigned c = 0; c < MODEL_CLAIMS; c++) {
		snprintf(text, sizeof text, "claim-%u", c);
		claims[c] = add(ledger, text);
	}
	for (unsigned d = 0; d < MODEL_DEVICES; d++)
		model.claim_of[d] = -1;
	for (unsigned round = 1; round < 20000; round++) {
		unsigned d = dice_roll(&dice, MODEL_DEVICES);
		int c = (int)dice_roll(&dice, MODEL_CLAIMS);
		struct claim_device device;

		snprintf(text, sizeof text, "0000:%02x:00.0", d);
		if (dice_roll(&dice, 100) == 0) {
			ledger_remove(ledger, claims[c]);
			for (unsigned i = 0; i < MODEL_DEVICES; i++)
				if (model.claim_of[i] == c)
					model.claim_of[i] = -1;
			snprintf(text, sizeof text, "again-%u", round);
			claims[c] = add(ledger, text);
		} else if (dice_roll(&dice, 2) == 0) {
			device = claim_device_of(text, dice_roll(&dice, 2) == 0);
			assert_int_equal(ledger_take(ledger, claims[c], &device), model.claim_of[d] < 0    ? 0
										  : model.claim_of[d] == c ? -EEXIST
													   : -EBUSY);
			if (model.claim_of[d] < 0) {
				model.claim_of[d] = c;
				model.lockout[d] = device.lockout;
				model.when[d] = round;
			}
		} else {
			assert_int_equal(ledger_give_back(ledger, claims[c], text), model.claim_of[d] == c);
			if (model.claim_of[d] == c)
				model.claim_of[d] = -1;
		}
		if (round % 20 == 0)
			compare(ledger, claims, &model);
	}
	ledger_free(ledger);
}

/* Sixty-four asked-for devices; lockouts do not count. */
static void test_full(void **state)
{
	struct ledger *ledger = ledger_new();
	struct claim *claim = add(ledger, "full");
	struct claim_device device;
	char name[DEVICE_NAME_MAX];

	for (unsigned i = 0; i < 2 * CLAIM_DEVICES_MAX; i++) {
		snprintf(name, sizeof name, "0000:%02x:00.0", i);
		device = claim_device_of(name, i % 2 == 0);
		assert_int_equal(ledger_take(ledger, claim, &device), 0);
	}
	device = claim_device_of("0000:ff:00.0", false);
	assert_int_equal(ledger_take(ledger, claim, &device), -E2BIG);
	assert_null(ledger_owner(ledger, "0000:ff:00.0", NULL));
	device.lockout = true;
	assert_int_equal(ledger_take(ledger, claim, &device), 0);
	/* One that is in already is told as such, also in a full claim. */
	device = claim_device_of("0000:01:00.0", false);
	assert_int_equal(ledger_take(ledger, claim, &device), -EEXIST);
	ledger_free(ledger);
}

/* The name may be the entry's own, which goes while it is given back. */
static void test_give_back_by_own_name(void **state)
{
	struct ledger *ledger = ledger_new();
	struct claim *claim = add(ledger, "c");

	for (unsigned i = 0; i < 3; i++) {
		char name[DEVICE_NAME_MAX];
		struct claim_device device;

		snprintf(name, sizeof name, "0000:01:00.%u", i);
		device = claim_device_of(name, false);
		assert_int_equal(ledger_take(ledger, claim, &device), 0);
	}
	assert_true(ledger_give_back(ledger, claim, claim->device[0].before.name));
	assert_int_equal(claim->device_count, 2);
	assert_string_equal(claim->device[0].before.name, "0000:01:00.1");
	assert_null(ledger_owner(ledger, "0000:01:00.0", NULL));
	assert_ptr_equal(ledger_owner(ledger, "0000:01:00.2", NULL), claim);
	ledger_free(ledger);
}

static void test_devices_of(void **state)
{
	struct host host;
	struct claim *claim;

	host_init(&host);
	for (unsigned i = 0; i < 8; i++) {
		struct device device;
		char name[DEVICE_NAME_MAX];

		snprintf(name, sizeof name, "0000:01:00.%u", i);
		device = device_of(name, 1, "");
		host_add(&host, &device);
	}
	claim = host_claim(&host, "a", 1000, "r", "0000:01:00.0");
	host_claim_more(&host, claim, "0000:01:00.1", false);
	host_claim_more(&host, claim, "0000:01:00.2", true);
	host_claim(&host, "b", 1000, "r", "0000:01:00.3");
	host_claim(&host, "c", 1000, "other", "0000:01:00.4");
	host_claim(&host, "d", 1001, "r", "0000:01:00.5");
	assert_int_equal(ledger_devices_of(host.ledger, 1000, "r"), 3);
	assert_int_equal(ledger_devices_of(host.ledger, 1000, "other"), 1);
	assert_int_equal(ledger_devices_of(host.ledger, 1001, "r"), 1);
	assert_int_equal(ledger_devices_of(host.ledger, 1002, "r"), 0);
	/* A lockout that its claim asks for later counts from then on. */
	claim_find_device(claim, "0000:01:00.2")->lockout = false;
	assert_int_equal(ledger_devices_of(host.ledger, 1000, "r"), 4);
	host_done(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_exclusive_exhaustively),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_give_back_by_own_name),
		cmocka_unit_test(test_devices_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
