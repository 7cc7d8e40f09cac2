/*
 * The wire between the broker and its executor (or the simulator): fixed-size structures and SCM_RIGHTS on a
 * SOCK_SEQPACKET socket, one message a packet. It is all that the broker knows of the host. wire_receive() checks every
 * length, number and string before anybody looks at them: each side takes the other for hostile.
 *
 * After connecting, the executor sends WIRE_HELLO, WIRE_DEVICE for each device, WIRE_TOPOLOGY_DONE; then events
 * (WIRE_DEVICE, WIRE_DEVICE_GONE, WIRE_KERNEL) as they come. The broker sends WIRE_SURVEY, WIRE_PLAN, WIRE_OVERDUE,
 * WIRE_RELOAD, WIRE_AUDIT, WIRE_RECORD and WIRE_STOP; each answer carries the id of its question. The end of the
 * connection ends the executor, once its plans are through.
 */
#pragma once

#include "../../policy/model/kernel_features.h"
#include "../../policy/plan/plan.h"
#include "../../policy/rules/policy.h"
#include "../../policy/model/use.h"
#include "../../policy/model/held_nodes.h"
#include "../../policy/model/audit_record.h"
#include "descriptors.h"

#include <stdint.h>

enum { WIRE_VERSION = 6, WIRE_FD = 3, WIRE_STEPS_MAX = 64, WIRE_CONTEXTS_MAX = 256, WIRE_AUDIT_CONTEXTS_MAX = 16384 };

enum wire_type {
	/* From the executor. */
	WIRE_HELLO = 1,
	WIRE_DEVICE, /* appeared, or changed; id: the survey that read it anew, or 0 */
	WIRE_DEVICE_GONE,
	WIRE_TOPOLOGY_DONE, /* all devices were told */
	WIRE_USE,           /* a finding of survey id */
	WIRE_SURVEY_DONE,
	WIRE_RESULT, /* of plan id */
	WIRE_POLICY, /* answer to WIRE_RELOAD */
	WIRE_KERNEL, /* what the kernel offers has changed: a module was loaded, a parameter set */
	WIRE_NODE,   /* inside the executor, from the watcher: udev was at work on this node of VFIO's */
	/* Inside the executor, to a binder, which answers with WIRE_RESULT: a step on a device's nodes outside of any
	 * plan. */
	WIRE_NODE_STEP,
	WIRE_HOLD,        /* a finding of audit id: what a process holds */
	WIRE_NODE_ACCESS, /* a finding of audit id: a node that others than root can open */
	WIRE_AUDIT_DONE,
	WIRE_RECORDED, /* of record id */
	WIRE_STOPPED,  /* of stop id */
	/* From the broker. */
	WIRE_SURVEY = 101,
	WIRE_PLAN,
	WIRE_OVERDUE, /* plan id passed its deadline: count its worker as stuck, start another in its place */
	WIRE_RELOAD,  /* read the policy files again */
	WIRE_AUDIT,   /* look for everything that anybody holds of VFIO's */
	WIRE_RECORD,  /* write this down in the kernel's audit log */
	WIRE_STOP,    /* end a process or unit that does not let go of what was revoked */
};

struct wire_header {
	uint32_t type; /* enum wire_type */
	uint32_t size; /* of the whole message in bytes */
	uint64_t id;   /* of the survey or plan; 0 where it belongs to none */
};

/* What policy files were refused for: the first error. */
struct wire_refusal {
	int32_t error;         /* positive errno, EINVAL: the files have errors; 0: they were not refused */
	uint32_t line, column; /* 0: the whole file */
	uint32_t more;         /* how many errors there are beyond the first */
	char file[TEXT_MAX];   /* "" where error says it all */
	char message[TEXT_MAX];
};

struct wire_hello {
	struct wire_header header;
	uint32_t version; /* WIRE_VERSION */
	uint32_t reserved;
	uint64_t policy_digest;
	struct kernel_features kernel;
	char boot_id[40]; /* /proc/sys/kernel/random/boot_id */
	struct wire_refusal
		refusal; /* of the policy files at the start: then the policy in force gives nobody anything */
};

struct wire_kernel {
	struct wire_header header;
	struct kernel_features kernel;
};

struct wire_device {
	struct wire_header header;
	struct device device;
};

struct wire_device_gone {
	struct wire_header header;
	char name[DEVICE_NAME_MAX];
};

struct wire_node {
	struct wire_header header;
	char name[DEVICE_NAME_MAX]; /* below /dev: "vfio/12" */
};

struct wire_node_step {
	struct wire_header header;
	struct step step; /* STEP_GRANT or STEP_REVOKE */
};

/* Also WIRE_TOPOLOGY_DONE, WIRE_OVERDUE and WIRE_RELOAD: a header alone. */
struct wire_plain {
	struct wire_header header;
};

/* Looks at these devices: answered with a WIRE_DEVICE or WIRE_DEVICE_GONE each, WIRE_USE for each finding, then
 * WIRE_SURVEY_DONE. */
struct wire_survey {
	struct wire_header header;
	uint32_t count; /* 1 to GROUP_MEMBERS_MAX */
	uint32_t reserved;
	char device[GROUP_MEMBERS_MAX][DEVICE_NAME_MAX];
};

struct wire_use {
	struct wire_header header;
	struct use use;
};

struct wire_survey_done {
	struct wire_header header;
	int32_t error; /* 0, or a positive errno: the survey is incomplete and must not be decided on */
	uint32_t reserved;
};

/* What the executor's main process has seen for itself, for a worker of its; the broker has no say in it. */
enum wire_proof {
	WIRE_PROOF_NONE,    /* nothing; and what the broker says */
	WIRE_PROOF_THERE,   /* that it did what a record says; that no process was found to hold a release's devices */
	WIRE_PROOF_MISSING, /* that it did not do what a record says, or does not know any more */
	WIRE_PROOF_COUNT,
};

enum wire_plan_kind { WIRE_PLAN_CLAIM, WIRE_PLAN_RELEASE };

/*
 * A plan, in chunks of WIRE_STEPS_MAX steps, sent one after the other with the same id. With the first chunk come the
 * FDs: the context (an iommufd or a container) if context is 1, then the client's pidfd if peer is not 0. Each plan is
 * a claim's, and the executor keeps a ledger of what it gave to which: a claim's plan takes devices for a claim that is
 * new, or for one that grows; a release has to be the one that the ledger says.
 */
struct wire_plan {
	struct wire_header header;
	uint64_t policy_digest; /* of the policy it was decided under; a release goes through under any */
	uint32_t kind;          /* enum wire_plan_kind */
	uint32_t total;         /* steps of the plan, 0 to PLAN_STEPS_MAX */
	uint32_t first;         /* index of this chunk's first step */
	uint32_t count;         /* steps in this chunk */
	uint32_t context;       /* 1: a context comes with it */
	int32_t peer;           /* pid of the client, with its pidfd; 0: not known */
	uint32_t proof;         /* enum wire_proof; from the broker WIRE_PROOF_NONE */
	uint32_t reserved;
	struct plan_owner owner;
	struct step step[WIRE_STEPS_MAX];
};

enum wire_outcome {
	WIRE_OUTCOME_DONE,     /* every step is done */
	WIRE_OUTCOME_REFUSED,  /* the executor's own check refused it; nothing was touched; text says why */
	WIRE_OUTCOME_UNDONE,   /* a step failed, the steps before were undone: the host is as it was */
	WIRE_OUTCOME_BROKEN,   /* a step failed, and an undo too (or a release failed): the host is not as it was */
	WIRE_OUTCOME_HELD,     /* a release found that somebody still has an FD */
	WIRE_OUTCOME_NO_RESET, /* a release could not reset a device that has to be reset */
	/* Whoever ran it is gone, or nobody could run it: nobody knows how far it came, and nothing of it runs any
	 * more. A release may be run again as it is, and puts back what a claim has left. */
	WIRE_OUTCOME_INTERRUPTED,
	WIRE_OUTCOME_COUNT,
};
const char *wire_outcome_to_string(enum wire_outcome outcome); /* "done", "no-reset" */

/*
 * What became of a plan. FDs after WIRE_PLAN_CLAIM that is done: the context, unless it was passed in; the groups in
 * the order of the STEP_GROUPs; the devices in the order of the STEP_OPENs or STEP_GROUP_DEVICEs (of those with number
 * 0). After WIRE_OUTCOME_HELD: the context that came with the plan, if contexts is 1; the holder's pidfd, if pid is not
 * 0 and it could be had. After WIRE_OUTCOME_INTERRUPTED: that context, if no worker had it yet.
 */
struct wire_result {
	struct wire_header header;
	uint32_t outcome;  /* enum wire_outcome */
	uint32_t step;     /* index of the step that failed */
	uint32_t kind;     /* enum step_kind of that step; STEP_KIND_COUNT: no step did */
	int32_t error;     /* positive errno of it; 0 where there was none */
	uint32_t ioas_id;  /* of a claim */
	uint32_t contexts; /* how many context FDs come (0 or 1) */
	uint32_t groups;   /* how many group FDs come */
	uint32_t devices;  /* how many device FDs come */
	int32_t pid;       /* of the holder, 0 unknown */
	uint32_t reserved;
	uint64_t memlock_before;      /* the client's RLIMIT_MEMLOCK (soft) before STEP_MEMLOCK */
	char device[DEVICE_NAME_MAX]; /* of the step that failed, or that is held */
	char holder[64];              /* the holder's command name, printable; "" unknown */
	char text[TEXT_MAX];          /* one sentence for people; "" where outcome, step and error say it all */
};

struct wire_policy {
	struct wire_header header;
	uint64_t policy_digest; /* of the policy in force in the executor now */
	int32_t error;          /* 0: it is the new one; EINVAL: the files have errors, the one before stays */
	uint32_t reserved;
	struct wire_refusal refusal; /* with error */
};

/*
 * Looks who holds anything of VFIO, iommufd or vhost-vdpa, and which nodes others than root can open: answered with
 * WIRE_HOLD and WIRE_NODE_ACCESS for each finding, then WIRE_AUDIT_DONE. What is a claim's is told by the contexts that
 * the broker has copies of: here stand their numbers in its own process, which are only ever compared. In chunks of
 * WIRE_CONTEXTS_MAX, sent one after the other with the same id; the last has more = 0.
 */
struct wire_audit_context {
	int32_t fd; /* in the broker's process */
	uint32_t reserved;
	char claim[CLAIM_ID_MAX];
};

struct wire_audit {
	struct wire_header header;
	uint32_t count; /* 0 to WIRE_CONTEXTS_MAX */
	uint32_t more;  /* 1: another chunk follows */
	uint32_t first; /* contexts in the chunks before; WIRE_AUDIT_CONTEXTS_MAX at most in all */
	int32_t broker; /* inside the executor, to its surveyor: the broker's pid, 0 unknown. From the broker 0 */
	struct wire_audit_context context[WIRE_CONTEXTS_MAX];
};

struct wire_hold {
	struct wire_header header;
	struct hold hold;
};

struct wire_node_access {
	struct wire_header header;
	struct node_access access;
};

struct wire_audit_done {
	struct wire_header header;
	int32_t error;     /* 0, or a positive errno: not everything could be looked at. EACCES: into processes */
	uint32_t compared; /* 1: this kernel can compare FDs (kcmp); 0: no hold has a claim */
};

/* Only as many devices are sent as there are. */
struct wire_record {
	struct wire_header header;
	uint32_t proof; /* enum wire_proof */
	uint32_t reserved;
	struct audit_record record;
};

struct wire_recorded {
	struct wire_header header;
	int32_t error; /* 0: the kernel has it; EPROTONOSUPPORT: this kernel has no audit log, which is not a failure;
			  other errno */
	uint32_t reserved;
};

/* How long a process gets to end by itself, after SIGTERM, and how long it may take to be killed. */
enum { WIRE_STOP_END_MSEC = 10000, WIRE_STOP_KILL_MSEC = 5000 };

/*
 * Ends a process, with its pidfd, or a unit. The executor does so only if the rule says that it may be done, and if the
 * process, or one of the unit, is found to hold one of these devices, to which the rule has to apply.
 */
struct wire_stop {
	struct wire_header header;
	uint32_t what;  /* enum revoke_stop; never REVOKE_STOP_NOTHING */
	int32_t pid;    /* REVOKE_STOP_PROCESS: which; its pidfd comes with the message. Else 0 */
	uint32_t count; /* devices, 1 to CLAIM_DEVICES_MAX */
	uint32_t reserved;
	char rule[RULE_NAME_MAX];
	char unit[UNIT_NAME_MAX]; /* REVOKE_STOP_UNIT: which, a service or a scope. Else "" */
	char device[CLAIM_DEVICES_MAX][DEVICE_NAME_MAX];
};

enum wire_stop_outcome {
	WIRE_STOP_GONE,        /* it has ended, or had before */
	WIRE_STOP_REFUSED,     /* the executor's own check refused it; nothing was touched */
	WIRE_STOP_UNSUPPORTED, /* there is no service manager that could be asked */
	WIRE_STOP_STAYS,       /* it was killed, and is there still: it hangs in the kernel */
	WIRE_STOP_FAILED,      /* error says why; perhaps it ends later */
	WIRE_STOP_OUTCOME_COUNT,
};

struct wire_stopped {
	struct wire_header header;
	uint32_t outcome;    /* enum wire_stop_outcome */
	int32_t error;       /* positive errno; 0 where there was none */
	char text[TEXT_MAX]; /* one sentence for people; "" after WIRE_STOP_GONE */
};

union wire_message {
	struct wire_header header;
	struct wire_hello hello;
	struct wire_device device;
	struct wire_device_gone device_gone;
	struct wire_kernel kernel;
	struct wire_node node;
	struct wire_node_step node_step;
	struct wire_plain plain;
	struct wire_survey survey;
	struct wire_use use;
	struct wire_survey_done survey_done;
	struct wire_plan plan;
	struct wire_result result;
	struct wire_policy policy;
	struct wire_audit audit;
	struct wire_hold hold;
	struct wire_node_access node_access;
	struct wire_audit_done audit_done;
	struct wire_record record;
	struct wire_recorded recorded;
	struct wire_stop stop;
	struct wire_stopped stopped;
};

/*
 * Fills in a header: the structure's own size, but for a survey, plan, audit, record or stop that of the entries it has
 * (set the counts first).
 */
void wire_stamp(union wire_message *message, enum wire_type type, uint64_t id);

/* Fills in what policy files were refused for. error: 0 or -errno of reading them. */
void wire_refusal_make(struct wire_refusal *refusal, int error, const struct diagnostics *diagnostics);

/*
 * Sends one stamped message, with copies of fds (the caller keeps its own). 0; -EAGAIN: the socket is full, and
 * nonblocking; -EPIPE, -ECONNRESET: the other side is gone; other -errno of sendmsg().
 */
int wire_send(int socket, const union wire_message *message, const int *fds, size_t fd_count);

/*
 * Receives one message into *message and its FDs into *fds (an empty list before; the caller owns them then).
 * 1: a message, checked; 0: the other side closed; -EAGAIN: nothing there, and nonblocking; -EBADMSG: not a message of
 * this wire, or cut (its FDs are closed); other -errno of recvmsg().
 */
int wire_receive(int socket, union wire_message *message, struct descriptors *fds);

/* What goes with a plan. FDs stay the caller's. */
struct wire_enclosure {
	int context; /* an iommufd or a container; -1: none */
	pid_t peer; /* the client: whose memlock limit is set, and who shows which groups and unit its user has; 0: none
		     */
	int peer_fd; /* its pidfd */
	enum wire_proof proof;
	struct plan_owner owner;
};

/*
 * Fills in and stamps the chunk of a plan that begins at step first; returns how many steps it has. Its FDs, if first
 * is 0, are those of wire_enclosure_fds().
 */
size_t wire_plan_chunk(union wire_message *message, uint64_t id, enum wire_plan_kind kind, uint64_t policy_digest,
		       const struct plan *plan, size_t first, const struct wire_enclosure *enclosure);
/* The FDs that go with a plan's first chunk; returns how many. */
size_t wire_enclosure_fds(const struct wire_enclosure *enclosure, int fds[static 2]);

/* Sends a plan in chunks over a blocking socket. Errors: as wire_send(), after which the connection is unusable. */
int wire_send_plan(int socket, uint64_t id, enum wire_plan_kind kind, uint64_t policy_digest, const struct plan *plan,
		   const struct wire_enclosure *enclosure);

/* Collects the chunks of one plan. All zero is empty. */
struct wire_plan_inbox {
	uint64_t id;
	uint64_t policy_digest;
	uint32_t kind;
	uint32_t total;
	bool begun;
	struct plan plan;
	struct wire_enclosure enclosure; /* its FDs are owned. Only valid once begun */
};
/* Adds a chunk, consuming its FDs. 1: the plan is complete; 0: more to come; -EBADMSG: chunk out of order; -ENOMEM. */
int wire_plan_inbox_add(struct wire_plan_inbox *inbox, const struct wire_plan *chunk, struct descriptors *fds);
/* Frees the plan, closes the FDs, and empties the inbox. */
void wire_plan_inbox_done(struct wire_plan_inbox *inbox);
