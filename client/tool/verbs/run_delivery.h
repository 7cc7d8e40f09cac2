/*
 * What a mode of delivery gives on an interface, against what a command asks for by placeholders. Text only: asks
 * nobody, and knows no claim.
 */
#pragma once

#include "../../../include/words.h"
#include "run_placeholders.h"

/*
 * Says why a command can't have one of its placeholders in this mode ("attached", "open" or "node"), and what to
 * write instead. interface: "iommufd", "group", or NULL if it is not known yet: then only what no interface gives in
 * this mode is told. Returns EXIT_DONE; EXIT_USAGE: this mode gives it nowhere; EXIT_UNSUPPORTED: another kernel would.
 * The last two with a sentence in out (size bytes).
 */
enum exit_status delivery_check(const struct placeholder_needs *needs, const char *mode, const char *interface,
				char *out, size_t size);
/* True if the interface decides whether a command can have its placeholders in this mode. */
bool delivery_depends(const struct placeholder_needs *needs, const char *mode);
