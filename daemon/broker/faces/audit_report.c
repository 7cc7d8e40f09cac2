#include "audit_report.h"

#include "../../../policy/util/json_write.h"
#include "../../../policy/report/reply_json.h"
#include "../../../policy/util/text.h"

#include <string.h>

struct json_object *audit_to_json(const struct audit *audit)
{
	struct json_object *object = json_make_object(), *holds = json_make_array(), *nodes = json_make_array();
	char incomplete[TEXT_MAX] = "";
	int64_t findings = 0;

	for (size_t i = 0; i < audit->hold_count; i++) {
		json_add(holds, reply_json_hold(&audit->hold[i], &audit->origin[i]));
		findings += audit->origin[i].verdict == HOLD_FOREIGN || audit->origin[i].verdict == HOLD_UNKNOWN;
	}
	for (size_t i = 0; i < audit->access_count; i++) {
		json_add(nodes, reply_json_open_node(&audit->access[i], audit->granted[i]));
		findings += !audit->granted[i];
	}
	if (audit->error != 0)
		text_format(incomplete, sizeof(incomplete), "not everything could be examined: %s",
			    strerror(audit->error));
	json_set(object, "holds", holds);
	json_set(object, "nodes", nodes);
	json_set(object, "compared", json_make_truth(audit->compared));
	json_set(object, "incomplete", json_make_string_or_null(incomplete));
	json_set(object, "findings", json_make_number(findings));
	return object;
}
