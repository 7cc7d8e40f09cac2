/*
 * What an earlier run of the broker left. A claim whose lease the service manager kept goes on as it was; every other
 * one that the journal knows is released, as far as nobody holds an FD of it, and lingers else until its client resumes
 * it or its holders are gone.
 */
#pragma once

#include "../core/registry.h"

/*
 * To be called once, when the host is known and before anybody is served. 0; -errno: not all of it could be read or
 * taken over, after a logged line. Then nobody must be served, who could get what a claim has; the next start begins
 * anew.
 */
int recover_run(struct registry *registry);
