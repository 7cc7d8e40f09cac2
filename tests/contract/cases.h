/* The cases of the contract, in the order in which they run. Each leaves the machine as it found it. */
#pragma once

#include "bench.h"

/* cases_look.c: what is told without anything being touched. */
void case_greeting(struct bench *bench);
void case_topology(struct bench *bench);
void case_survey(struct bench *bench);
/* cases_claim.c: what is done. */
void case_claim_with_lockout(struct bench *bench);
void case_claim_open(struct bench *bench);
void case_claim_of_two(struct bench *bench);
void case_plan_in_chunks(struct bench *bench);
void case_grow_and_shrink(struct bench *bench);
void case_grow_by_a_group(struct bench *bench);
void case_memlock(struct bench *bench);
void case_claim_node(struct bench *bench);
void case_undo_of_node(struct bench *bench);
/* cases_undo.c: what the kernel refuses, and how it is undone. */
void case_sibling_on_host_driver(struct bench *bench);
void case_sibling_in_second_context(struct bench *bench);
void case_second_bind(struct bench *bench);
void case_undo_of_two(struct bench *bench);
void case_foreign_context(struct bench *bench);
/* cases_release.c: what a release finds. */
void case_release_of_untouched(struct bench *bench);
void case_release_with_known_holder(struct bench *bench);
void case_release_with_unknown_holder(struct bench *bench);
void case_release_with_open_group(struct bench *bench);
void case_unmapping(struct bench *bench);
void case_unbind_that_blocks(struct bench *bench);
void case_reset(struct bench *bench);
void case_one_group_fails(struct bench *bench);
void case_release_of_changed(struct bench *bench);
void case_release_without_restore(struct bench *bench);
/* cases_audit.c: who has what, what is written down, and what is ended. */
void case_audit(struct bench *bench);
void case_audit_of_nodes(struct bench *bench);
void case_record(struct bench *bench);
void case_stop_process(struct bench *bench);
void case_stop_refused(struct bench *bench);
/* cases_refuse.c: what the executor's own check refuses. */
void case_stale_plans(struct bench *bench);
void case_wrong_digest(struct bench *bench);
void case_devices_nobody_gets(struct bench *bench);
void case_lockout_not_covered(struct bench *bench);
void case_odd_plans(struct bench *bench);
void case_odd_releases(struct bench *bench);
/* cases_taken_over.c: what a broker that was taken over tries. */
void case_taken_over_release(struct bench *bench);
void case_taken_over_subject(struct bench *bench);
void case_taken_over_memlock(struct bench *bench);
void case_taken_over_limits(struct bench *bench);
void case_taken_over_record(struct bench *bench);
/* cases_wire.c: reloading, and bad messages. Each bad message costs a connection of its own. */
void case_reload(struct bench *bench);
void case_end(struct bench *bench);
void case_malformed(struct bench *bench);
