#include "accounts.h"

#include <stdint.h>
#include <stdlib.h>

static bool is_left(const struct accounts *accounts, uid_t uid, size_t own, bool is_operator)
{
	size_t most = accounts->most - accounts->reserved, users = accounts->users + (own == 0);

	if (uid == 0)
		return true;
	if (own >= accounts->per_user)
		return false;
	if (is_operator)
		return accounts->taken < accounts->most;
	return accounts->taken < most && own * users < most - accounts->taken;
}

struct account *accounts_take(struct accounts *accounts, uid_t uid, bool is_operator)
{
	struct account *account = accounts->first;

	while (account && account->uid != uid)
		account = account->next;
	if (!is_left(accounts, uid, account ? account->places : 0, is_operator))
		return NULL;
	if (!account) {
		account = calloc(1, sizeof(*account));
		if (!account)
			return NULL;
		account->accounts = accounts;
		account->uid = uid;
		account->next = accounts->first;
		accounts->first = account;
		accounts->users += uid != 0;
	}
	account->places++;
	accounts->taken += uid != 0;
	return account;
}

void account_give_back(struct account *account)
{
	struct accounts *accounts = account->accounts;
	struct account **link = &accounts->first;

	account->places--;
	accounts->taken -= account->uid != 0;
	if (account->places > 0)
		return;
	accounts->users -= account->uid != 0;
	while (*link != account)
		link = &(*link)->next;
	*link = account->next;
	free(account);
}

size_t account_part(const struct account *account, size_t all, size_t per_user)
{
	size_t users = account->accounts->users;

	if (account->uid == 0)
		return SIZE_MAX;
	return users * per_user > all ? all / users : per_user;
}
