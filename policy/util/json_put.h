/*
 * Building JSON objects where any step can run out of memory. Values are consumed in every case, and a value that is
 * NULL because it could not be made counts as a failure.
 */
#pragma once

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

/* Adds a member. False: out of memory. */
bool json_put(struct json_object *object, const char *key, struct json_object *value);
/* null for the empty text. */
bool json_put_text(struct json_object *object, const char *key, const char *text);
/* null for negative numbers. */
bool json_put_number(struct json_object *object, const char *key, int64_t number);
bool json_put_bool(struct json_object *object, const char *key, bool value);
/* Appends an item. False: out of memory. */
bool json_append(struct json_object *array, struct json_object *value);
