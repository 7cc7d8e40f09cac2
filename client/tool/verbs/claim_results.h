/*
 * What came of something that was done to several claims, in JSON. Prints, asks nobody.
 */
#pragma once

struct json_object;
struct session;

/*
 * Prints {"claims": [...]}, and the first failure among the entries, which each may have one, as "error" beside it.
 * list is consumed. 0, -ENOMEM.
 */
int claim_results_print(struct session *session, struct json_object *list);
