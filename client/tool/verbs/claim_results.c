#include "claim_results.h"

#include "../core/reply.h"
#include "../core/session.h"

#include "../../json_build.h"

#include <errno.h>
#include <json-c/json.h>

int claim_results_print(struct session *session, struct json_object *list)
{
	struct json_object *object = json_object_new_object();
	struct json_object *error = NULL;
	int result = -ENOMEM;

	for (size_t i = 0; i < reply_count(list) && error == NULL; i++)
		error = reply_object(reply_entry(list, i), "error");
	json_object_get(error);
	if (object != NULL)
		result = json_build_set(object, "claims", json_object_get(list));
	if (result == 0 && error != NULL)
		result = json_build_set(object, "error", json_object_get(error));
	if (result == 0)
		session_print_json(session, object);
	json_object_put(error);
	json_object_put(object);
	json_object_put(list);
	return result;
}
