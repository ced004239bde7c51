/* Lines of the journal: written, checked and read again. */
#include "sweep/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/test_point.h"
#include "base/text.h"
#include "run/json.h"
#include "run/report.h"

/* LONGEST_LINE is many times what kt_journal_append writes. */
enum { LONGEST_LINE = 1 << 20, KEY_DIGITS = 16, CRC_MEMBER_BYTES = 20 };

struct kt_journal {
    int fd;
    char path[KT_PATH_BYTES];
    kt_config defaults;
    kt_text_buffer value, default_value;
};

uint64_t kt_trial_key(const kt_config *config, uint64_t fingerprint)
{
    const uint64_t parts[] = {kt_config_key(config), fingerprint};
    uint64_t key = kt_hash_bytes(KT_HASH_START, parts, sizeof parts);
    return key != 0 ? key : 1;
}

static const char *status_word(int status)
{
    return status == KT_OK ? "done" : status == KT_DIVERGED ? "diverged" : "failed";
}

/* Ends the object, and with it the line. */
static void crc_member(const char *line, size_t n, char member[CRC_MEMBER_BYTES + 1])
{
    snprintf(member, CRC_MEMBER_BYTES + 1, ", \"crc\": \"%08" PRIx32 "\"}",
             (uint32_t)crc32_z(0, (const unsigned char *)line, n));
}

/* Writes what the option is into value, and how it is by default. */
static kt_status format_both(kt_journal *journal, const kt_option *option, const kt_config *config)
{
    kt_text_clear(&journal->value);
    kt_text_clear(&journal->default_value);
    kt_options_format(option, config, &journal->value);
    kt_options_format(option, &journal->defaults, &journal->default_value);
    KT_TRY(journal->value.status);
    return journal->default_value.status;
}

static json_t *config_json(kt_journal *journal, const kt_config *config)
{
    json_t *object = json_object();
    for (size_t i = 0; i < kt_config_options()->n && object != NULL; i++) {
        const kt_option *o = &kt_config_options()->options[i];
        char name[128];
        if (o->flags & KT_OPTION_PLACE)
            continue;
        snprintf(name, sizeof name, "%s.%s", o->section, o->key);
        if (format_both(journal, o, config) != KT_OK)
            object = kt_json_with(object, name, NULL);
        else if (strcmp(journal->value.bytes, journal->default_value.bytes) != 0)
            object = kt_json_with(object, name, kt_json_text(journal->value.bytes));
    }
    return object;
}

static json_t *number_json(const kt_outcome *outcome, size_t i)
{
    const void *value = (const char *)outcome + kt_outcome_rows[i].offset;
    return kt_outcome_rows[i].whole ? json_integer(*(const int64_t *)value) : kt_json_number(*(const double *)value);
}

/* A line but for its crc; NULL when there is no memory. */
static json_t *line_json(kt_journal *journal, const kt_config *config, const kt_outcome *outcome)
{
    char key[KEY_DIGITS + 1];
    snprintf(key, sizeof key, "%016" PRIx64, outcome->key);
    json_t *line = kt_json_with(json_object(), "key", json_string(key));
    line = kt_json_with(line, "config", config_json(journal, config));
    line = kt_json_with(line, "status", json_string(status_word(outcome->status)));
    line = kt_json_with(line, "code", json_integer(outcome->status));
    line = kt_json_with(line, "stop_reason", json_string(kt_stop_reason_name((kt_stop_reason)outcome->reason)));
    for (size_t i = 0; i < KT_OUTCOME_N_NUMBERS; i++)
        line = kt_json_with(line, kt_outcome_rows[i].name, number_json(outcome, i));
    return outcome->error[0] != '\0' ? kt_json_with(line, "error", kt_json_text(outcome->error)) : line;
}

/* The whole line with its newline; owned by the caller. */
static kt_status make_line(kt_journal *journal, const kt_config *config, const kt_outcome *outcome, char **line)
{
    char crc[CRC_MEMBER_BYTES + 1];
    kt_text_buffer buffer = {0};
    json_t *json = line_json(journal, config, outcome);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_REAL_PRECISION(17));
    json_decref(json);
    if (text == NULL)
        return kt_fail(KT_NO_MEMORY, "%s: no memory to write a line", journal->path);
    text[strlen(text) - 1] = '\0'; /* the crc goes before the brace */
    crc_member(text, strlen(text), crc);
    kt_text_append(&buffer, "%s%s\n", text, crc);
    free(text);
    return kt_text_take(&buffer, line);
}

static kt_status cannot_write(const kt_journal *journal, int error)
{
    return kt_fail(KT_IO, "%s: cannot be written: %s; what was on record stays", journal->path, strerror(error));
}

/* What a line cut short has left stands on a line of its own. */
static kt_status end_last_line(const kt_journal *journal)
{
    struct stat info;
    char last = '\n';
    if (fstat(journal->fd, &info) != 0)
        return kt_fail(KT_IO, "%s: %s", journal->path, strerror(errno));
    if (!S_ISREG(info.st_mode) || info.st_size == 0)
        return KT_OK;
    if (pread(journal->fd, &last, 1, info.st_size - 1) != 1)
        return kt_fail(KT_IO, "%s: its last byte cannot be read: %s", journal->path, strerror(errno));
    if (last != '\n' && (kt_file_write(journal->fd, "\n", 1) != 1 || fsync(journal->fd) != 0))
        return cannot_write(journal, errno);
    return KT_OK;
}

static kt_status open_file(kt_journal *journal, const char *path)
{
    KT_TRY(kt_file_path(journal->path, "%s", path));
    KT_TRY(kt_options_defaults(kt_config_options(), &journal->defaults));
    journal->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (journal->fd < 0)
        return kt_fail(KT_IO, "%s: cannot be written: %s", path, strerror(errno));
    KT_TRY(kt_file_sync_directory_of(path)); /* also when a kill has kept another start from doing so */
    return end_last_line(journal);
}

kt_status kt_journal_open(const char *path, kt_journal **out)
{
    kt_journal *journal;
    *out = NULL;
    KT_TRY(KT_NEW(journal, 1));
    journal->fd = -1;
    kt_status status = open_file(journal, path);
    if (status == KT_OK)
        *out = journal;
    else
        kt_journal_close(journal);
    return status;
}

void kt_journal_close(kt_journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->fd >= 0)
        close(journal->fd);
    kt_memory_free(journal->value.bytes);
    kt_memory_free(journal->default_value.bytes);
    kt_memory_free(journal);
}

static kt_status write_line(const kt_journal *journal, const char *line, size_t n)
{
    struct stat before;
    if (fstat(journal->fd, &before) != 0)
        return kt_fail(KT_IO, "%s: %s", journal->path, strerror(errno));
    if (kt_file_write(journal->fd, line, n) == n && fsync(journal->fd) == 0)
        return KT_OK;
    int error = errno;
    /* Where this fails, the next append ends what there is of the line, and its crc tells that it is not whole. */
    if (S_ISREG(before.st_mode) && ftruncate(journal->fd, before.st_size) == 0)
        fsync(journal->fd);
    return cannot_write(journal, error);
}

kt_status kt_journal_append(kt_journal *journal, const kt_config *config, const kt_outcome *outcome)
{
    char *line;
    KT_TRY(make_line(journal, config, outcome, &line));
    kt_status status = end_last_line(journal);
    KT_TEST_POINT("line_made");
    if (status == KT_OK)
        status = write_line(journal, line, strlen(line));
    KT_TEST_POINT("line_written");
    kt_memory_free(line);
    return status;
}

typedef struct reader {
    FILE *file;
    kt_config defaults, config;
    size_t n; /* bytes of the line, of which text has at most LONGEST_LINE */
    char text[LONGEST_LINE];
} reader;

/* False at the end of the file. */
static bool next_line(reader *r)
{
    int c;
    r->n = 0;
    while ((c = getc_unlocked(r->file)) != EOF && c != '\n') {
        if (r->n < LONGEST_LINE)
            r->text[r->n] = (char)c;
        r->n++;
    }
    return c == '\n' || r->n > 0;
}

/* NULL when there is no such text. */
static const char *member_text(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

static bool take_config(const json_t *line, kt_config *config)
{
    json_t *object = json_object_get(line, "config"), *value;
    const char *name;
    json_object_foreach(object, name, value)
    {
        char section[64];
        const char *dot = strchr(name, '.'), *text = json_string_value(value);
        if (dot == NULL || text == NULL || (size_t)(dot - name) >= sizeof section)
            return false;
        snprintf(section, sizeof section, "%.*s", (int)(dot - name), name);
        if (kt_options_set(kt_config_options(), config, "journal", section, dot + 1, text) != KT_OK)
            return false;
    }
    return json_is_object(object);
}

static bool take_key(const json_t *line, uint64_t *key)
{
    const char *text = member_text(line, "key");
    if (text == NULL || strlen(text) != KEY_DIGITS || strspn(text, "0123456789abcdef") != KEY_DIGITS)
        return false;
    *key = strtoull(text, NULL, 16);
    return true;
}

static bool take_status(const json_t *line, kt_outcome *out)
{
    const char *word = member_text(line, "status"), *reason = member_text(line, "stop_reason");
    const json_t *code = json_object_get(line, "code");
    json_int_t status = json_integer_value(code);
    if (word == NULL || reason == NULL || !json_is_integer(code) || status < INT_MIN || status > INT_MAX)
        return false;
    out->status = (int)status;
    while (out->reason < KT_N_STOP_REASONS && strcmp(kt_stop_reason_name((kt_stop_reason)out->reason), reason) != 0)
        out->reason++;
    return out->reason < KT_N_STOP_REASONS && strcmp(word, status_word(out->status)) == 0;
}

static bool take_number(const json_t *line, size_t i, kt_outcome *out)
{
    const json_t *json = json_object_get(line, kt_outcome_rows[i].name);
    void *value = (char *)out + kt_outcome_rows[i].offset;
    if (kt_outcome_rows[i].whole)
        *(int64_t *)value = json_integer_value(json);
    else
        *(double *)value = json_is_null(json) ? (double)NAN : json_real_value(json);
    return kt_outcome_rows[i].whole ? json_is_integer(json) : json_is_real(json) || json_is_null(json);
}

static bool take_error(const json_t *line, char error[KT_OUTCOME_ERROR_BYTES])
{
    const json_t *json = json_object_get(line, "error");
    if (json == NULL)
        return true;
    if (!json_is_string(json) || json_string_length(json) >= KT_OUTCOME_ERROR_BYTES)
        return false;
    strcpy(error, json_string_value(json));
    return true;
}

/* Whether a line is good; then config and *out are set. */
static bool parse_line(reader *r, kt_outcome *out)
{
    char crc[CRC_MEMBER_BYTES + 1];
    if (r->n > LONGEST_LINE || r->n < CRC_MEMBER_BYTES)
        return false;
    crc_member(r->text, r->n - CRC_MEMBER_BYTES, crc);
    if (memcmp(r->text + r->n - CRC_MEMBER_BYTES, crc, CRC_MEMBER_BYTES) != 0)
        return false;
    json_t *line = json_loadb(r->text, r->n, JSON_REJECT_DUPLICATES, NULL);
    *out = (kt_outcome){0};
    r->config = r->defaults;
    bool good = take_key(line, &out->key) && take_config(line, &r->config) && take_status(line, out) &&
                take_error(line, out->error);
    for (size_t i = 0; i < KT_OUTCOME_N_NUMBERS && good; i++)
        good = take_number(line, i, out);
    json_decref(line);
    return good;
}

static kt_status read_lines(reader *r, kt_journal_take *take, void *context, size_t *n_damaged, size_t *first_damaged)
{
    kt_outcome outcome;
    KT_TRY(kt_options_defaults(kt_config_options(), &r->defaults));
    for (size_t number = 1; next_line(r); number++) {
        if (r->n == 0)
            continue; /* nothing is lost */
        if (parse_line(r, &outcome)) {
            KT_TRY(take(context, &r->config, &outcome));
            continue;
        }
        if (++*n_damaged == 1)
            *first_damaged = number;
    }
    return KT_OK;
}

kt_status kt_journal_read(const char *path, kt_journal_take *take, void *context, size_t *n_damaged,
                          size_t *first_damaged)
{
    reader *r;
    *n_damaged = *first_damaged = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? KT_OK : kt_fail(KT_IO, "%s: cannot be read: %s", path, strerror(errno));
    kt_status status = KT_NEW(r, 1);
    if (status == KT_OK) {
        r->file = file;
        status = read_lines(r, take, context, n_damaged, first_damaged);
        if (status == KT_OK && ferror(file))
            status = kt_fail(KT_IO, "%s: reading stopped: %s", path, strerror(errno));
    }
    kt_memory_free(r);
    fclose(file);
    return status;
}
