/* Finding the format of a file, and an array in it. */
#include "input/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "input/foreign.h"

#define AT(field) offsetof(kt_table_rules, field)

static const kt_option option_rows[] = {
    {"data", "header", KT_OPTION_CHOICE, AT(header), "auto", 0, 0, kt_decision_word, 0,
     "whether a table (.csv) begins with a line of names; auto = when no cell of it is a number, or they are 0, 1, "
     "..., n-1"},
    {"data", "index_column", KT_OPTION_CHOICE, AT(index_column), "auto", 0, 0, kt_decision_word, 0,
     "whether the first column of a table of features holds row numbers and is left out; auto = whole numbers without "
     "a name, or under "
     "\"Unnamed: 0\""},
};
const kt_option_rows kt_table_options = KT_OPTION_ROWS(option_rows);

#define ROW(name, extensions) {#name, extensions, &kt_format_##name},

const kt_format_row kt_formats[] = {KT_FORMATS(ROW)};
const size_t kt_n_formats = sizeof kt_formats / sizeof kt_formats[0];

static const char *const feature_names[] = {"X", "x", "features", "images", "data", "x_train", "arr_0", NULL};
static const char *const label_names[] = {"y", "Y", "labels", "targets", "y_train", "arr_1", NULL};

enum { LISTED_NAMES = 8 };

static bool has_extension(const char *path, const char *extensions)
{
    for (const char *e = extensions; *e != '\0';) {
        size_t n = strcspn(e, " ");
        if (strlen(path) >= n && strncasecmp(path + strlen(path) - n, e, n) == 0)
            return true;
        e += n + (e[n] == ' ');
    }
    return false;
}

static kt_status fail_unknown(const char *path)
{
    kt_text_buffer list = {0};
    for (size_t i = 0; i < kt_n_formats; i++)
        kt_text_append(&list, "%s%s%s%s", i > 0 ? ", " : "", kt_formats[i].name,
                       kt_formats[i].format->recognizes == NULL ? " with the ending " : "",
                       kt_formats[i].format->recognizes == NULL ? kt_formats[i].extensions : "");
    const kt_status status = kt_fail(KT_DATA, "%s is in no format known here (%s)", path, list.bytes);
    kt_memory_free(list.bytes);
    return status;
}

static kt_status find_format(const char *path, const kt_format **format)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return kt_fail(KT_NO_INPUT, "%s: %s", path, strerror(errno));
    unsigned char head[KT_FOREIGN_BYTES];
    size_t n = fread(head, 1, sizeof head, file);
    const bool behind_block = n == sizeof head && kt_hdf5_is_behind_block(file);
    bool failed = ferror(file);
    fclose(file);
    if (failed)
        return kt_fail(KT_IO, "%s: %s", path, strerror(errno));
    if (n == 0)
        return kt_fail(KT_DATA, "%s is empty", path);
    for (size_t i = 0; i < kt_n_formats; i++) {
        *format = kt_formats[i].format;
        if ((*format)->recognizes != NULL && (*format)->recognizes(head, n))
            return KT_OK;
    }
    if (!behind_block)
        KT_TRY(kt_foreign_check(path, head, n));
    for (size_t i = 0; i < kt_n_formats; i++) {
        *format = kt_formats[i].format;
        if (behind_block ? *format == &kt_format_hdf5 : has_extension(path, kt_formats[i].extensions))
            return KT_OK;
    }
    return fail_unknown(path);
}

/* What stands where the file should be, if anything does. */
static kt_status fail_absent(const char *path)
{
    char target[256];
    const int code = errno;
    const ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) {
        errno = code;
        return kt_file_fail_open(path, "");
    }
    target[n] = '\0';
    const bool annex = strstr(target, "annex/objects/") != NULL;
    return kt_fail(KT_NO_INPUT, "%s: is a link to %s, which is not there%s", path, target,
                   annex ? ": `git annex get FILE` fetches it" : "");
}

/* What is wanted of a file. */
typedef struct request {
    const char *const *usual;
    const kt_table_rules *rules;
    kt_notes *notes;
} request;

static kt_status read_split(const char *path, const char *member, const request *r, kt_array *out)
{
    const kt_format *format;
    if (!kt_file_is_regular(path))
        return kt_file_exists(path) ? kt_fail(KT_NO_INPUT, "%s: not a regular file", path) : fail_absent(path);
    KT_TRY(find_format(path, &format));
    return format->read_table != NULL ? format->read_table(path, member, r->rules, r->notes, out)
                                      : format->read(path, member, r->usual, out);
}

/* A name with a colon may be a file's own: it is when there is such a file. */
static const char *find_member(const char *path_and_member)
{
    const char *colon = strrchr(path_and_member, ':');
    return colon == NULL || kt_file_is_regular(path_and_member) ? NULL : colon;
}

void kt_format_file(const char *path_and_member, char *file)
{
    const char *colon = find_member(path_and_member);
    const int n = colon == NULL ? KT_PATH_BYTES - 1 : (int)(colon - path_and_member);
    snprintf(file, KT_PATH_BYTES, "%.*s", n, path_and_member);
}

static kt_status read_array(const char *path_and_member, const request *r, kt_array *out)
{
    *out = (kt_array){0};
    const char *colon = find_member(path_and_member);
    if (colon == NULL)
        return read_split(path_and_member, NULL, r, out);
    char *path = kt_memory_string(path_and_member);
    if (path == NULL)
        return KT_NO_MEMORY;
    path[colon - path_and_member] = '\0';
    kt_status status = colon[1] == '\0' ? kt_fail(KT_DATA, "%s: a name is needed after the colon", path_and_member)
                                        : read_split(path, colon + 1, r, out);
    kt_memory_free(path);
    return status;
}

kt_status kt_format_read_by(const char *path_and_member, bool labels, const kt_table_rules *rules, kt_notes *notes,
                            kt_array *out)
{
    static const kt_table_rules all_auto;
    const request r = {labels ? label_names : feature_names, rules != NULL ? rules : &all_auto, notes};
    return read_array(path_and_member, &r, out);
}

kt_status kt_format_read(const char *path_and_member, kt_array *out)
{
    return kt_format_read_by(path_and_member, false, NULL, NULL, out);
}

static bool find_name(const char *wanted, size_t n, char *const *names, size_t *found)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], wanted) == 0) {
            *found = i;
            return true;
        }
    return false;
}

static kt_status fail_choice(const char *path, const char *member, size_t n, char *const *names)
{
    char list[KT_MESSAGE_BYTES / 2] = "";
    for (size_t i = 0; i < n && i < LISTED_NAMES; i++) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%.40s", i > 0 ? ", " : "", names[i]);
    }
    const char *more = n > LISTED_NAMES ? ", ..." : "";
    if (n == 0)
        return kt_fail(KT_DATA, "%s holds no arrays", path);
    if (member != NULL)
        return kt_fail(KT_DATA, "%s has no array \"%.100s\"; it has %s%s", path, member, list, more);
    return kt_fail(KT_DATA, "%s has %zu arrays (%s%s): say which, as FILE:NAME", path, n, list, more);
}

kt_status kt_format_choose(const char *path, const char *member, const char *const *usual, size_t n, char *const *names,
                           size_t *chosen)
{
    *chosen = 0;
    if (member != NULL)
        return find_name(member + (member[0] == '/'), n, names, chosen) ? KT_OK : fail_choice(path, member, n, names);
    if (n == 1)
        return KT_OK;
    for (const char *const *name = usual; *name != NULL; name++)
        if (find_name(*name, n, names, chosen))
            return KT_OK;
    return fail_choice(path, NULL, n, names);
}
