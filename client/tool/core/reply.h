/*
 * Reading the daemon's replies: a field that is missing or of another type than the interface says reads as nothing,
 * so that no reply can make a verb stumble. Parses and reads, no more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

/* The object that a text is, or NULL if it is not one (or out of memory). The caller's. */
struct json_object *reply_parse(const char *text);
/* A string of an object; fallback (may be NULL) where it is null, missing or no string. Lives as long as the object. */
const char *reply_string(struct json_object *object, const char *key, const char *fallback);
/* A number; fallback where it is null, missing or no integer. */
int64_t reply_number(struct json_object *object, const char *key, int64_t fallback);
/* True if the field is true. */
bool reply_flag(struct json_object *object, const char *key);
/* A list; NULL where it is missing or no list. */
struct json_object *reply_list(struct json_object *object, const char *key);
/* An object; NULL where it is missing or no object. */
struct json_object *reply_object(struct json_object *object, const char *key);
/* How many entries a list has; 0 for NULL. */
size_t reply_count(struct json_object *list);
/* An entry of a list of objects; NULL past the end, or if it is not an object. */
struct json_object *reply_entry(struct json_object *list, size_t index);
/* An entry of a list of strings; "" past the end, or if it is not a string. */
const char *reply_text(struct json_object *list, size_t index);
/* True if a claim has the device, by its state. */
bool reply_is_claimed(struct json_object *device);
/* The first object of a list whose field is that text, or NULL. */
struct json_object *reply_find(struct json_object *list, const char *key, const char *text);
