/*
 * What an audit finds: what processes hold of VFIO, iommufd and vhost-vdpa, and which nodes others than root can open.
 * Plain data, and where each finding came from, told from the ledger. Never looks at the host itself.
 */
#pragma once

#include "ledger.h"

/* One thing that one process holds, once or several times. */
struct hold {
	int32_t pid;
	uint32_t uid;       /* its effective user */
	uint32_t kind;      /* enum hold_kind */
	uint32_t count;     /* FDs of it, or mappings; at least 1 */
	int32_t group;      /* IOMMU group of what is held; -1: none, or the kernel does not tell */
	uint32_t service;   /* 1: the process is ioasidd's own, or the service manager, keeping a context of its for it */
	char device[DEVICE_NAME_MAX];   /* PCI function; "": none, or the kernel does not tell */
	char node[DEVICE_NAME_MAX];     /* below /dev: "vfio/devices/vfio0"; "": the kernel does not tell */
	char claim[CLAIM_ID_MAX];       /* it is the context of this claim, the kernel says; "": of none that is known */
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
	char acl[TEXT_MAX];           /* its entries beyond the mode: "user:1000:rw-,group:104:r--"; "" none */
};
bool node_access_is_sane(const struct node_access *access);
