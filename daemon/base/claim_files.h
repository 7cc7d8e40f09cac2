/*
 * The journal: one small file per claim in the runtime folder, replaced as a whole, written before the first step of a
 * plan and again after the last, so that a crash at any point can be undone or completed at the next start. It has to
 * survive a crash, not a reboot: files of another boot are thrown away. What is in it is taken for hostile when read.
 */
#pragma once

#include "../../policy/model/ledger.h"

/*
 * Opens (and makes) the folder PATH/claims. Returns an FD that the caller owns, and as long as it is open nobody else's; or
 * -EADDRINUSE: somebody has it already; other -errno.
 */
int journal_open(const char *runtime_folder);
/* Writes the claim as it stands now. 0, or -errno: the file there before is unharmed. */
int journal_write(int journal, const char *boot_id, const struct claim *claim);
/* Removes the claim's file. 0, or -errno. */
int journal_remove(int journal, const char *claim_id);

enum journal_verdict {
	JOURNAL_READ,    /* filled in *claim; free its device array with free() */
	JOURNAL_STALE,   /* of another boot: to be removed */
	JOURNAL_CORRUPT, /* not what journal_write() wrote: to be set aside, and never acted on */
};
/* Reads one file by its name in the folder. *claim is touched only by JOURNAL_READ. -errno: it can't be read. */
int journal_read(int journal, const char *file, const char *boot_id, struct claim *claim);
/* Names of all files in the folder, malloc'ed, as is the array; NULL: out of memory or unreadable. */
char **journal_list(int journal, size_t *count);
/* Removes what a kill in the middle of journal_write() left. */
void journal_drop_unfinished(int journal);
/* Renames a corrupt file, so that it is kept for a person to look at and is not read again. */
int journal_set_aside(int journal, const char *file);
/* The claim id of a file's name ("ID.json"), or false. */
bool journal_file_claim(const char *file, char id[static CLAIM_ID_MAX]);
