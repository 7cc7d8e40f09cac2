/*
 * What the replies of Claim and AddDevice say, checked: every name, every number, that each descriptor that came is
 * named exactly once, and that the descriptors are those of the mode and the interface. Takes the descriptors out of
 * the reply; calls nothing.
 */
#pragma once

#include "../../include/words.h"
#include "varlink_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CLAIM_NODES_MAX = 4, /* of one device; the kernel gives it one, or a group's and the container's */
	NODE_PATH_MAX = 64,  /* bytes of a node's path, its NUL included */
};

struct claim_device_fd {
	char name[DEVICE_NAME_MAX];
	int32_t group;
	int fd; /* -1 in mode node, and until the client has opened it by its group */
	char node[CLAIM_NODES_MAX][NODE_PATH_MAX];
	size_t node_count;
};

struct claim_group_fd {
	int32_t number;
	int fd;
};

struct claim_reply {
	char id[CLAIM_ID_MAX];
	char mode[DEVICE_NAME_MAX];      /* of AddDevice: that of the claim that grows */
	char interface[DEVICE_NAME_MAX]; /* "iommufd" or "group"; the same */
	int lease;                       /* -1 of AddDevice, and where something else keeps the claim alive */
	int iommufd;                     /* -1 where there is none */
	int container;                   /* -1 where there is none */
	uint32_t ioas_id;                /* 0 where there is none */
	struct claim_group_fd group[CLAIM_DEVICES_MAX];
	size_t group_count;
	struct claim_device_fd device[CLAIM_DEVICES_MAX];
	size_t device_count; /* at least 1 */
};

/* The claim's id alone, for giving back what could not be received. NULL if the reply names none that is sane. */
const char *claim_reply_id(const struct varlink_reply *reply);
/*
 * Reads the reply of Claim (grows NULL; leased: a lease has to come with it) or that of AddDevice about a claim that is
 * to grow. On success the descriptors belong to *out. -EPROTO: *why says what is wrong with it, and the descriptors are
 * still the reply's or closed.
 */
int claim_reply_read(struct varlink_reply *reply, const struct claim_reply *grows, bool leased, struct claim_reply *out,
		     const char **why);
/*
 * Reads the reply of Resume about a claim. *lease: a new one, the caller's, or -1: the one that he has is good.
 * -EPROTO: *why says what is wrong, and the descriptors are still the reply's.
 */
int claim_reply_read_lease(struct varlink_reply *reply, const struct claim_reply *claim, int *lease, const char **why);
/* The place of a group's descriptor, by its number; -1 where the claim has it not. */
int claim_reply_find_group(const struct claim_reply *claim, int32_t number);
/* Closes the descriptors. */
void claim_reply_done(struct claim_reply *claim);
