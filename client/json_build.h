/*
 * Putting JSON together where every allocation can fail: what is handed over is consumed, whatever happens.
 */
#pragma once

struct json_object;

/*
 * object[key] := value, which is consumed. 0, or -ENOMEM, also for a value that is NULL because it could not be made.
 */
int json_build_set(struct json_object *object, const char *key, struct json_object *value);
/* Appends value, which is consumed, to a list. 0, or -ENOMEM, also for a value that is NULL. */
int json_build_append(struct json_object *list, struct json_object *value);
/*
 * The text of an object, which lives as long as the object is not changed. NULL: out of memory. json-c leaves parts
 * of a text out where an allocation fails, and does not say so: this text is read back and compared.
 */
const char *json_build_text(struct json_object *object);
