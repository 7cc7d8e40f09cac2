/*
 * Making JSON whose text is whole or is not made: an allocation that fails on the way is remembered until the text is asked
 * for, and there is none then. Whoever makes an object need not look at each step. (json_put.h is for those who do.)
 *
 * Makers return NULL where memory ran out, which the others take as well as null; values are consumed in every case.
 */
#pragma once

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

struct json_object *json_make_object(void);
struct json_object *json_make_array(void);
struct json_object *json_make_string(const char *text);
struct json_object *json_make_number(int64_t number);
struct json_object *json_make_unsigned(uint64_t number);
struct json_object *json_make_truth(bool truth);
/* key: a literal, or as durable, that the object does not have yet. It is neither copied nor looked for. */
void json_set(struct json_object *object, const char *key, struct json_object *value);
void json_add(struct json_object *array, struct json_object *value);
/* Memory ran out for something else that belongs into what is being made. */
void json_lacks_memory(void);
/*
 * The object's text without blanks, its own as long as it is not changed. NULL: there is no object, or memory ran out,
 * perhaps for another one whose text nobody asked for; with that it is forgotten.
 */
const char *json_text(struct json_object *object);
