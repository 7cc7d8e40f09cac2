/*
 * Whether a device or a group can be had at all, whoever asks: what the lists of org.ioasid1 call its state. Pure;
 * decides nothing: a plan may refuse for other reasons still, but never because the host uses what is called free here.
 */
#pragma once

#include "../model/ledger.h"
#include "../rules/policy.h"
#include "../model/use.h"

/* What is known of what the host does with devices. */
struct outlook {
	/*
	 * True if the device was looked at lately; *use is then what stands against taking it
	 * (availability_obstacle()), or NULL. It lives until the next call.
	 */
	bool (*find)(void *context, const struct device *device, const struct use **use);
	void *context;
	const struct policy *policy; /* NULL: never is not known */
	const struct topology *topology;
	bool to_operator; /* with mount points and processes */
};

struct availability {
	const char *state;                    /* of the claim that has it, or an enum device_availability */
	char use[TEXT_MAX + DEVICE_NAME_MAX]; /* what uses it; of another member, behind its name. "" where that is not
						 the matter */
};

/* What stands against taking a device, among the uses of a survey: what find() of an outlook gives. NULL: nothing. */
const struct use *availability_obstacle(const struct uses *uses, const char *device);
/* outlook: NULL: nothing was looked at. owner: the claim that has the device, or NULL. */
void availability_of_device(const struct outlook *outlook, const struct device *device, const struct claim *owner,
			    struct availability *out);
/* The same of a group: owner is the claim that has any member. It is free only if all of its devices are. */
const char *availability_of_group(const struct outlook *outlook, const struct device *const *member, size_t count,
				  const struct claim *owner);
