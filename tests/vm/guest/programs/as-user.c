/*
 * Runs a command as another user: uid, gid, all supplementary groups and a clean environment of that user; busybox's
 * setuidgid sets no supplementary groups and its su wants a terminal and a shell.
 *
 * usage: as-user USER COMMAND…        (USER is a name, or a number without groups)
 */
#include "rig.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct passwd *user;
	uid_t uid;
	gid_t gid;

	if (argc < 3)
		die("usage: as-user USER COMMAND…");
	user = getpwnam(argv[1]);
	if (user) {
		uid = user->pw_uid;
		gid = user->pw_gid;
		if (initgroups(user->pw_name, gid) < 0)
			die_errno("can't set the groups of %s", argv[1]);
		setenv("HOME", user->pw_dir, 1);
		setenv("USER", user->pw_name, 1);
		setenv("LOGNAME", user->pw_name, 1);
	} else {
		uid = (uid_t)number_of("USER (no such name)", argv[1], UINT32_MAX - 1);
		gid = uid;
		if (setgroups(0, NULL) < 0)
			die_errno("can't drop the groups");
	}
	if (setgid(gid) < 0 || setuid(uid) < 0)
		die_errno("can't become %s", argv[1]);
	execvp(argv[2], argv + 2);
	die_errno("can't run %s", argv[2]);
}
