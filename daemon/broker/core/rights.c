#include "rights.h"

static const struct {
	enum right right;
	const char *action;
} table[ACT_COUNT] = {
	[ACT_LOOK] = { RIGHT_EVERYBODY, NULL },
	[ACT_WATCH] = { RIGHT_EVERYBODY, NULL },
	[ACT_PLAN] = { RIGHT_EVERYBODY, NULL },
	[ACT_CLAIM] = { RIGHT_EVERYBODY, NULL },
	[ACT_TAKE] = { RIGHT_OWNER, NULL },
	[ACT_RESUME] = { RIGHT_OWNER, NULL },
	/* An operator ends others' claims; he does not put devices into them. */
	[ACT_ADD] = { RIGHT_OWNER, NULL },
	[ACT_REMOVE] = { RIGHT_OWNER_OR_OPERATOR, "org.ioasid1.claim.remove" },
	[ACT_RELEASE] = { RIGHT_OWNER_OR_OPERATOR, "org.ioasid1.claim.release" },
	[ACT_SEE_CLAIM] = { RIGHT_OWNER_OR_OPERATOR, "org.ioasid1.host.inspect" },
	[ACT_PLAN_FOR] = { RIGHT_OPERATOR, "org.ioasid1.host.inspect" },
	[ACT_CLAIM_FOR] = { RIGHT_OPERATOR, "org.ioasid1.claim.bind" },
	[ACT_OPEN_QUARANTINE] = { RIGHT_OPERATOR, "org.ioasid1.claim.open-quarantine" },
	[ACT_REVOKE] = { RIGHT_OPERATOR, "org.ioasid1.claim.revoke" },
	[ACT_RELOAD] = { RIGHT_OPERATOR, "org.ioasid1.policy.reload" },
	[ACT_SNAPSHOT] = { RIGHT_OPERATOR, "org.ioasid1.host.inspect" },
	[ACT_AUDIT] = { RIGHT_OPERATOR, "org.ioasid1.host.inspect" },
};

enum right rights_of(enum act act)
{
	return table[act].right;
}

const char *rights_action(enum act act)
{
	return table[act].action;
}

bool rights_is_operator(const struct policy *policy, const struct requester *requester)
{
	if (requester->subject.uid == 0)
		return true;
	switch (requester->authority) {
	case AUTHORITY_OF_POLICY:
		return policy_is_operator(policy, &requester->subject);
	case AUTHORITY_GRANTED:
		return true;
	case AUTHORITY_NONE:
		break;
	}
	return false;
}

bool rights_allow(const struct policy *policy, const struct requester *requester, enum act act,
		  const struct claim *claim)
{
	bool owner = claim && claim->uid == requester->subject.uid;

	switch (table[act].right) {
	case RIGHT_EVERYBODY:
		return true;
	case RIGHT_OWNER:
		return owner;
	case RIGHT_OWNER_OR_OPERATOR:
		return owner || rights_is_operator(policy, requester);
	case RIGHT_OPERATOR:
		break;
	}
	return rights_is_operator(policy, requester);
}
