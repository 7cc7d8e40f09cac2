/*
 * Making JSON that is whole or is not used: an allocation that fails on the way is remembered until the text is asked
 * for, and there is none then. Whoever makes an object need not look at each step.
 *
 * Makers return NULL where memory ran out, which the others take as well as null; values are consumed in every case.
 */
#pragma once

#include <json-c/json_object.h>
#include <stdbool.h>
#include <stdint.h>

struct json_object *json_make_object(void);
struct json_object *json_make_array(void);
/* A text that is not UTF-8, which JSON can't carry, is written as text_escape() writes it. */
struct json_object *json_make_string(const char *text);
/* null for the empty text. */
struct json_object *json_make_string_or_null(const char *text);
struct json_object *json_make_number(int64_t number);
/* null for negative numbers. */
struct json_object *json_make_number_or_null(int64_t number);
struct json_object *json_make_unsigned(uint64_t number);
struct json_object *json_make_truth(bool truth);
/* key: a literal, or as durable: it is not copied. What the object has of it is replaced. */
void json_set(struct json_object *object, const char *key, struct json_object *value);
void json_unset(struct json_object *object, const char *key);
void json_add(struct json_object *array, struct json_object *value);
/* Memory ran out for something else that belongs into what is being made. */
void json_lacks_memory(void);
/*
 * False: memory ran out for what was made since this was last asked, or since the last text. For who has no use for a
 * text, and always asks: another one's text would not be there.
 */
bool json_is_whole(void);
/* The same for who hands on the object: it, or NULL, after it was put, where it is not whole. */
struct json_object *json_whole(struct json_object *object);
/* The object's text without blanks, its own as long as it is not changed. NULL: there is no object, or it is not whole.
 */
const char *json_text(struct json_object *object);
