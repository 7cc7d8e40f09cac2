#include "audit_report.h"

#include "../../policy/reply_json.h"
#include "../../policy/text.h"

#include <string.h>

struct json_object *audit_to_json(const struct audit *audit)
{
	struct json_object *object = json_object_new_object(), *holds = json_object_new_array(),
			   *nodes = json_object_new_array();
	char incomplete[TEXT_MAX] = "";
	int64_t findings = 0;

	for (size_t i = 0; i < audit->hold_count; i++) {
		json_object_array_add(holds, reply_json_hold(&audit->hold[i], &audit->origin[i]));
		findings += audit->origin[i].verdict == HOLD_FOREIGN || audit->origin[i].verdict == HOLD_UNKNOWN;
	}
	for (size_t i = 0; i < audit->access_count; i++) {
		json_object_array_add(nodes, reply_json_open_node(&audit->access[i], audit->granted[i]));
		findings += !audit->granted[i];
	}
	if (audit->error != 0)
		text_format(incomplete, sizeof(incomplete), "not everything could be looked at: %s", strerror(audit->error));
	json_object_object_add(object, "holds", holds);
	json_object_object_add(object, "nodes", nodes);
	json_object_object_add(object, "compared", json_object_new_boolean(audit->compared));
	json_object_object_add(object, "incomplete", reply_json_text_or_null(incomplete));
	json_object_object_add(object, "findings", json_object_new_int64(findings));
	return object;
}
