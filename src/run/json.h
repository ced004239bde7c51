/* JSON values of this project. Local. Whatever has no memory gives NULL, and everything built on it gives NULL, too:
 * a document that is written is whole. */
#ifndef KTRAIN_JSON_H
#define KTRAIN_JSON_H

#include <jansson.h>

/* JSON has no NaN: what is not finite is null. */
json_t *kt_json_number(double value);

/* JSON is UTF-8: bytes that are not become '?'. */
json_t *kt_json_text(const char *text);

/* The object with one member, the array with one element more, which takes the value over. NULL when either is, and
 * neither is left. */
json_t *kt_json_with(json_t *object, const char *name, json_t *value);
json_t *kt_json_append(json_t *array, json_t *value);

#endif
