/*
 * The journal: one small file per claim in the runtime folder, replaced as a whole, written before the first step of a
 * plan and again after the last, so that a crash at any point can be undone or completed at the next start. It has to
 * survive a crash, not a reboot: files of another boot are thrown away. What is in it is taken for hostile when read.
 */
#pragma once

#include "../../policy/model/ledger.h"

/*
 * Opens (and makes) the folder PATH/claims. Returns an FD that the caller owns, and as long as it is open nobody
 * else's; or -EADDRINUSE: already in use; other -errno.
 */
int claim_files_open(const char *runtime_folder);
/* Writes the claim as it stands now. 0, or -errno: the file there before is unharmed. */
int claim_files_write(int claim_files, const char *boot_id, const struct claim *claim);
/* Removes the claim's file. 0, or -errno. */
int claim_files_remove(int claim_files, const char *claim_id);

enum claim_file_verdict {
	CLAIM_FILE_READ,    /* filled in *claim; free its device array with free() */
	CLAIM_FILE_STALE,   /* of another boot: to be removed */
	CLAIM_FILE_CORRUPT, /* not what claim_files_write() wrote: to be set aside, and never acted on */
};
/* Reads one file by its name in the folder. *claim is touched only by CLAIM_FILE_READ. -errno: it can't be read. */
int claim_files_read(int claim_files, const char *file, const char *boot_id, struct claim *claim);
/* Names of all files in the folder, malloc'ed, as is the array; NULL: out of memory or unreadable. */
char **claim_files_list(int claim_files, size_t *count);
/* Removes what a kill in the middle of claim_files_write() left. */
void claim_files_drop_unfinished(int claim_files);
/* Renames a corrupt file, so that it is kept for a person to look at and is not read again. */
int claim_files_set_aside(int claim_files, const char *file);
/* The claim id of a file's name ("ID.json"), or false. */
bool claim_files_file_claim(const char *file, char id[static CLAIM_ID_MAX]);
