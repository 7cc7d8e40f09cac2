/*
 * What an audit finds: what processes hold of VFIO, iommufd and vhost-vdpa, and which nodes others than root can open.
 * Plain data, and where each finding came from, told from the ledger. Never looks at the host itself.
 */
#pragma once

#include "ledger.h"

/* One thing that one process holds, once or several times. */
struct hold {
	int32_t pid;
	uint32_t uid;     /* its effective user */
	uint32_t kind;    /* enum hold_kind */
	uint32_t count;   /* FDs of it, or mappings; at least 1 */
	int32_t group;    /* IOMMU group of what is held; -1: none, or the kernel does not tell */
	uint32_t service; /* 1: the process is ioasidd's own, or the service manager, keeping a context of its for it */
	char device[DEVICE_NAME_MAX]; /* PCI function; "": none, or the kernel does not tell */
	char node[DEVICE_NAME_MAX];   /* below /dev: "vfio/devices/vfio0"; "": the kernel does not tell */
	char claim[CLAIM_ID_MAX];     /* it is the context of this claim, the kernel says; "": of none that is known */
	char command[COMMAND_NAME_MAX]; /* what the process calls itself, escaped: proves nothing */
	char unit[UNIT_NAME_MAX];       /* systemd unit, or else the last part of its control group; "" unknown */
};
/* True if the strings end within their arrays, are printable UTF-8 and the numbers are in range. */
bool hold_is_sane(const struct hold *hold);

enum { NODE_USERS_MAX = 16 };

/* A node that somebody other than root can open. */
struct node_access {
	char node[DEVICE_NAME_MAX];   /* below /dev: "iommu", "vfio/12" */
	char device[DEVICE_NAME_MAX]; /* PCI function of a cdev; "" else */
	int32_t group;                /* IOMMU group of a group's node or of the cdev's device; -1 else */
	uint32_t mode;                /* permission bits; with an ACL the middle three are its mask */
	uint32_t uid, gid;            /* its owner */
	uint32_t everybody;           /* 1: anybody can */
	uint32_t groups;              /* 1: members of some group other than root's can */
	uint32_t users_left_out;      /* how many more than those below */
	uint32_t user_count;
	uint32_t user[NODE_USERS_MAX]; /* that can by name: as its owner, or by the ACL */
	char acl[TEXT_MAX];            /* its entries beyond the mode: "user:1000:rw-,group:104:r--"; "" none */
};
bool node_access_is_sane(const struct node_access *access);

/* Where what a process holds came from. */
struct hold_origin {
	enum hold_verdict verdict;
	char claim[CLAIM_ID_MAX]; /* with HOLD_OF_CLAIM and HOLD_OF_SERVICE: which; with HOLD_UNKNOWN: whose device it
				     is; or "" */
};
/*
 * Tells of each hold where it came from; those of one process stand together. A context is a claim's if the kernel says
 * so; a device of a claim is that claim's where the process also has the claim's context, is the claim's client itself,
 * or runs as the user to whom the claim gave its nodes; one that the kernel does not name, if the process has nothing
 * else that it could be of. compared: the kernel could compare contexts. out: count of them.
 */
void hold_judge(const struct hold *hold, size_t count, const struct ledger *ledger, bool compared,
		struct hold_origin *out);
/* True if a claim gave this very node to every user who can open it, and nobody else can. */
bool node_access_is_granted(const struct node_access *access, const struct ledger *ledger);
