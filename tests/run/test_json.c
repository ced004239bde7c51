/* json.h: a document is whole or is not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/json.h"
#include "test.h"

const char *const kt_test_suite = "json";

static long left; /* how many requests for memory are met */

static void *few(size_t n)
{
    return left-- > 0 ? malloc(n) : NULL;
}

static char *document(void)
{
    json_t *names = kt_json_append(kt_json_append(json_array(), kt_json_text("\xe3\x81\x82")), kt_json_text("a\xff"));
    json_t *root = kt_json_with(json_object(), "names", names);
    root = kt_json_with(root, "loss", kt_json_number(0.5));
    root = kt_json_with(root, "best", kt_json_with(json_object(), "loss", kt_json_number((double)NAN)));
    char *text = root != NULL ? json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(root);
    return text;
}

/* With each of its requests for memory refused in turn. */
static void whole_or_none(void)
{
    static const char expected[] = "{\"best\":{\"loss\":null},\"loss\":0.5,\"names\":[\"\xe3\x81\x82\",\"a?\"]}";
    char *text = NULL;
    long n = 0;
    json_set_alloc_funcs(few, free);
    for (; text == NULL && n < 1000; n++) {
        left = n;
        text = document();
        CU_ASSERT(text == NULL || left >= 0);
    }
    CU_ASSERT(n > 10 && n < 1000);
    CU_ASSERT_FATAL(text != NULL);
    CU_ASSERT_STRING_EQUAL(text, expected);
    free(text);
    json_set_alloc_funcs(malloc, free);
}

const kt_test kt_tests[] = {
    {"a document that lacks memory for a part is none; what is not UTF-8 is '?', what is not finite null",
     whole_or_none},
    {NULL, NULL},
};
