/*
 * What the replies of Claim and AddDevice say, checked: every name, every number, and that each descriptor that came is
 * named exactly once. Takes the descriptors out of the reply; calls nothing.
 */
#pragma once

#include "../../include/words.h"
#include "varlink_client.h"

#include <stddef.h>
#include <stdint.h>

struct claim_device_fd {
	char address[DEVICE_NAME_MAX];
	int fd;
};

struct claim_reply {
	char id[CLAIM_ID_MAX];
	char mode[DEVICE_NAME_MAX]; /* "" of AddDevice */
	int lease;                  /* -1 of AddDevice */
	int iommufd;                /* -1 where there is none */
	uint32_t ioas_id;           /* 0 where there is none */
	struct claim_device_fd device[CLAIM_DEVICES_MAX];
	size_t device_count;        /* at least 1 */
};

/* The claim's id alone, for giving back what could not be received. NULL if the reply names none that is sane. */
const char *claim_reply_id(const struct varlink_reply *reply);
/*
 * Reads the reply of Claim (added false) or AddDevice (added true). On success the descriptors belong to *out. -EPROTO:
 * *why says what is wrong with it, and the descriptors are still the reply's or closed.
 */
int claim_reply_read(struct varlink_reply *reply, bool added, struct claim_reply *out, const char **why);
/* Closes the descriptors. */
void claim_reply_done(struct claim_reply *claim);
