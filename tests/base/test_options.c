/* Options by a small table of every type. The real table is tested in test_config.c. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/options.h"
#include "test.h"

const char *const kt_test_suite = "options";

typedef struct values {
    bool flag;
    int64_t count, size;
    double rate;
    const char *path;
    int color;
    kt_int_list widths;
    kt_real_list parts;
} values;

static const char *colors(size_t i)
{
    static const char *const words[] = {"red", "green"};
    return i < 2 ? words[i] : NULL;
}

static const char *full(size_t i)
{
    return i == 0 ? "full" : NULL;
}

static const kt_option rows[] = {
    {"a", "flag", KT_OPTION_BOOL, offsetof(values, flag), "false", 0, 0, NULL, 0, "a flag"},
    {"a", "count", KT_OPTION_INT, offsetof(values, count), "3", 1, 10, NULL, 0, "a count"},
    {"a", "size", KT_OPTION_INT, offsetof(values, size), "full", 1, 100, full, 0, "a size"},
    {"a", "rate", KT_OPTION_REAL, offsetof(values, rate), "0.1", 0, 1, NULL, KT_OPTION_ABOVE | KT_OPTION_BELOW,
     "a rate"},
    {"b", "path", KT_OPTION_TEXT, offsetof(values, path), "", 0, 0, NULL, 0, "a path"},
    {"b", "color", KT_OPTION_CHOICE, offsetof(values, color), "green", 0, 0, colors, 0, "a color"},
    {"b", "widths", KT_OPTION_INTS, offsetof(values, widths), "[]", 1, 1000, NULL, 0, "widths"},
    {"b", "parts", KT_OPTION_REALS, offsetof(values, parts), "0.5, 0.5", 0, 1, full, 0, "parts"},
};

static const kt_option_heading headings[] = {{"a", "Section a."}, {"b", "Section b."}, {NULL, NULL}};

static const kt_option_synonym synonyms[] = {
    {"speed", "a", "rate", "(per second)"}, {"device", NULL, NULL, "there is only one"},
    {"b.dir", "b", "path", NULL},           {"[box]", "b", NULL, NULL},
    {"color=rot", NULL, "red", NULL},       {NULL, NULL, NULL, NULL},
};

static const kt_option_table table = {
    .options = rows,
    .n = sizeof rows / sizeof rows[0],
    .headings = headings,
    .synonyms = synonyms,
};

static kt_status read_bytes(values *v, const kt_option_section *other, const char *text, size_t n_bytes)
{
    kt_mistakes mistakes = {0};
    kt_options_defaults(&table, v);
    kt_options_read_ini(&table, v, other, &(kt_ini){"x.ini", text, n_bytes}, &mistakes);
    return kt_mistakes_tell(&mistakes, "x.ini");
}

static kt_status read_text(values *v, const char *text)
{
    memset(v, 0, sizeof *v);
    return read_bytes(v, NULL, text, strlen(text));
}

static void defaults_are_what_the_table_says(void)
{
    values v;
    KT_CHECK_STATUS(KT_OK, kt_options_defaults(&table, &v));
    CU_ASSERT(!v.flag && v.count == 3 && v.size == KT_WORD(0) && v.rate == 0.1 && v.path[0] == '\0' && v.color == 1);
    CU_ASSERT(v.widths.n == 0 && v.parts.word == -1 && v.parts.n == 2 && v.parts.values[1] == 0.5);
}

static void every_type_is_read(void)
{
    values v;
    KT_CHECK_STATUS(KT_OK,
                    read_text(&v, "; comment\n[a]\nflag = true\ncount=10   ; the most\nsize = 64\nrate = 1e-3\r\n"
                                  "[b]\npath = data/x y.npy\ncolor = red\nwidths = [999, 5,\n  70]\nparts = full\n"));
    CU_ASSERT(v.flag && v.count == 10 && v.size == 64 && v.rate == 1e-3 && v.color == 0);
    CU_ASSERT_STRING_EQUAL(v.path, "data/x y.npy");
    CU_ASSERT(v.widths.n == 3 && v.widths.values[0] == 999 && v.widths.values[2] == 70);
    CU_ASSERT(v.parts.word == 0);
}

static void bad_text_is_refused_with_its_line(void)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"[a]\nrate = 1e-3x\n", "x.ini:2: a.rate = 1e-3x: must be a number above 0 and below 1"},
        {"[a]\nrate = 0\n", "x.ini:2: a.rate"},
        {"[a]\nrate = 1\n", "x.ini:2: a.rate"},
        {"[a]\nrate = nan\n", "x.ini:2: a.rate"},
        {"[a]\nrate =\n", "x.ini:2: a.rate"},
        {"[a]\nrate = 0x1p-3\n", "x.ini:2: a.rate"},
        {"[a]\ncount = 11\n", "must be a whole number from 1 to 10"},
        {"[a]\ncount = 3.0\n", "x.ini:2: a.count = 3.0"},
        {"[a]\ncount = 99999999999999999999\n", "x.ini:2: a.count"},
        {"[a]\nsize = all\n", "or full"},
        {"[a]\n\nflag = yes\n", "x.ini:3: a.flag = yes: must be true or false"},
        {"[b]\ncolor = blue\n", "must be one of red | green"},
        {"[b]\nwidths = 5, 6\n", "b.widths"},
        {"[b]\nwidths = [5,, 6]\n", "b.widths"},
        {"[b]\nwidths = [5, 0]\n", "b.widths"},
        {"[b]\nparts = 0.5, half\n", "b.parts"},
        {"[a]\ncuont = 3\n", "there is no key a.cuont; did you mean a.count?"},
        {"[c]\ncolor = red\n", "x.ini:1: there is no section [c]"},
        {"[c]\n", "x.ini:1: there is no section [c]"},
        {"[a]\ncount = 3\n  rate = 0.5\n", "x.ini:3: the line is indented"},
        {"[a]\n= 3\n", "x.ini:2: no key before the '='"},
        {"[b]\npath = \"c\"\n", "x.ini:2: b.path"},
        {"[b]\npath = c # mine\n", "x.ini:2: b.path"},
        {"[a] count = 3\n", "x.ini:1: text after a section's ']'"},
        {"[a]\ncount = 3\ncount = 4\n", "x.ini:3: a.count is set twice, first on line 2"},
        {"[a]\ncount 3\n", "x.ini:2: neither"},
        {"[a\ncount = 3\n", "x.ini:1: neither"},
        {"count = 3\n", "x.ini:1: count stands before any [section]"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        values v;
        KT_CHECK_STATUS(KT_CONFIG, read_text(&v, bad[i].text));
        if (strstr(kt_error_message(), bad[i].words) == NULL)
            printf("\n  wanted \"%s\", got \"%s\"\n", bad[i].words, kt_error_message());
        CU_ASSERT(strstr(kt_error_message(), bad[i].words) != NULL);
    }
}

static void a_line_too_long_or_binary_is_refused(void)
{
    values v;
    static char text[2 * KT_LINE_BYTES];
    memset(text, 'x', sizeof text);
    memcpy(text, "[b]\npath = ", 11);
    text[sizeof text - 1] = '\0';
    KT_CHECK_STATUS(KT_CONFIG, read_text(&v, text));
    KT_CHECK_MESSAGE("x.ini:2: the line is longer than 1048575 bytes");
    for (size_t i = 1000; i < sizeof text - 1; i += 1000)
        text[i] = '\n', text[i + 1] = ' ';
    KT_CHECK_STATUS(KT_CONFIG, read_text(&v, text));
    KT_CHECK_MESSAGE("the value of b.path is longer than 1048575 bytes");
    KT_CHECK_STATUS(KT_CONFIG, read_bytes(&v, NULL, "[a]\ncount = \0 3\n", 17));
    KT_CHECK_MESSAGE("NUL");
}

/* What the other section was told, one line each. */
static kt_status note(void *context, const char *where, const char *key, const char *text)
{
    char *notes = context;
    size_t n = strlen(notes);
    snprintf(notes + n, 200 - n, "%s %s=%s\n", where, key == NULL ? "" : key, key == NULL ? "" : text);
    return key != NULL && strcmp(key, "no") == 0 ? kt_fail(KT_CONFIG, "%s: no", where) : KT_OK;
}

/* A name, and how the sentence goes on behind it. */
static void a_name_is_suggested_only_when_it_is_near(void)
{
    static const struct {
        const char *argument, *words;
    } cases[] = {
        {"a.Count=3", "key a.Count; did you mean a.count? (ktrain options a lists all)"},
        {"a.cuont=3", "key a.cuont; did you mean a.count? ("},
        {"a.counts_all=3", "key a.counts_all; did you mean a.count? ("},
        {"a.color=red", "key a.color; did you mean b.color? ("},
        {"a.thing=3", "key a.thing (ktrain options a lists all)"},
        {"a.rte=3", "key a.rte; did you mean a.rate? ("},
        {"a.rt=3", "key a.rt (ktrain"},
        {"b.Speed=3", "key b.Speed; did you mean a.rate? (per second) ("},
        {"a.device=0", "key a.device: there is only one ("},
        {"b.dir=x", "key b.dir; did you mean b.path? ("},
        {"a.dir=x", "key a.dir (ktrain"},
        {"cc.path=x", "section [cc]; did you mean b.path? (ktrain options lists all)"},
        {"cc.nothing=x", "section [cc] (ktrain options lists all)"},
        {"b.color=RED", "must be one of red | green; did you mean red?"},
        {"b.color=gren", "must be one of red | green; did you mean green?"},
        {"b.color=rot", "must be one of red | green; did you mean red?"},
        {"a.size=Full", "or full; did you mean full?"},
        {"a.flag=True", "must be true or false; did you mean true?"},
        {"a.flag=0", "must be true or false; did you mean false?"},
    };
    values v;
    kt_options_defaults(&table, &v);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        KT_CHECK_STATUS(KT_CONFIG, kt_options_override(&table, &v, cases[i].argument));
        if (strstr(kt_error_message(), cases[i].words) == NULL)
            printf("\n  wanted \"%s\", got \"%s\"\n", cases[i].words, kt_error_message());
        CU_ASSERT(strstr(kt_error_message(), cases[i].words) != NULL);
    }
    KT_CHECK_STATUS(KT_CONFIG, kt_options_override(&table, &v, "b.color=blue"));
    CU_ASSERT_PTR_NULL(strstr(kt_error_message(), "did you mean"));
    KT_CHECK_STATUS(KT_USAGE, kt_options_override(&table, &v, "Speed=3"));
    KT_CHECK_MESSAGE("Speed=3: not of the form section.key=value; did you mean a.rate?");
    KT_CHECK_STATUS(KT_CONFIG, read_text(&v, "[Box]\n"));
    KT_CHECK_MESSAGE("x.ini:1: there is no section [Box]; did you mean [b]?");
    KT_CHECK_STATUS(KT_CONFIG, read_text(&v, "count = 3\n"));
    KT_CHECK_MESSAGE("count stands before any [section]; did you mean a.count?");
}

static void another_sections_keys_go_elsewhere(void)
{
    values v;
    char notes[200] = "";
    const kt_option_section other = {"other", note, notes};
    const char text[] = "[a]\ncount = 4\n[other]\na.x = 1 |\n  a.y = 2\na.x = 3\n[b]\npath = z\n";
    KT_CHECK_STATUS(KT_OK, read_bytes(&v, &other, text, strlen(text)));
    CU_ASSERT_STRING_EQUAL(notes, "x.ini:3 =\nx.ini:4 a.x=1 | a.y = 2\nx.ini:6 a.x=3\n");
    CU_ASSERT(v.count == 4 && strcmp(v.path, "z") == 0);
    KT_CHECK_STATUS(KT_CONFIG, read_bytes(&v, &other, "[other]\nno = 1\n", 15));
    KT_CHECK_MESSAGE("x.ini:2: no");
    KT_CHECK_STATUS(KT_CONFIG, read_bytes(&v, &other, "[othr]\n", 7));
    KT_CHECK_MESSAGE("did you mean [other]?");
}

static void an_override_sets_one_key(void)
{
    values v;
    kt_options_defaults(&table, &v);
    KT_CHECK_STATUS(KT_OK, kt_options_override(&table, &v, "b.widths=[7]"));
    CU_ASSERT(v.widths.n == 1 && v.widths.values[0] == 7);
    KT_CHECK_STATUS(KT_OK, kt_options_override(&table, &v, "b.path=a=b.c"));
    CU_ASSERT_STRING_EQUAL(v.path, "a=b.c");
    const char *const malformed[] = {"", "=", ".", "a.count", "a.=3", ".count=3", "count=3", "a=b.c"};
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        KT_CHECK_STATUS(KT_USAGE, kt_options_override(&table, &v, malformed[i]));
    KT_CHECK_STATUS(KT_CONFIG, kt_options_override(&table, &v, "a.count=0"));
    KT_CHECK_MESSAGE("command line: a.count = 0");
    CU_ASSERT(v.count == 3);
}

static void what_is_written_reads_back_the_same(void)
{
    values v, again;
    char *text;
    memset(&v, 0, sizeof v);
    kt_options_defaults(&table, &v);
    v.rate = 0.1 + 0.2;
    int64_t widths[KT_MAX_INTS];
    static double parts[KT_MAX_REALS];
    v.widths = (kt_int_list){KT_MAX_INTS, widths};
    for (size_t i = 0; i < KT_MAX_INTS; i++)
        widths[i] = 900 + (int64_t)i;
    v.parts = (kt_real_list){-1, KT_MAX_REALS, parts};
    for (size_t i = 0; i < v.parts.n; i++)
        parts[i] = 1 / (double)(i + 3);
    KT_CHECK_STATUS(KT_OK, kt_options_write_ini(&table, &v, &text));
    KT_CHECK_STATUS(KT_OK, read_text(&again, text));
    CU_ASSERT(again.rate == v.rate && again.widths.n == v.widths.n && again.parts.n == v.parts.n &&
              again.size == v.size);
    CU_ASSERT(memcmp(again.widths.values, widths, sizeof widths) == 0);
    CU_ASSERT(memcmp(again.parts.values, parts, sizeof parts) == 0);
    kt_memory_free(text);
}

/* Lists cut after commas, texts cut nowhere, a mark of byte order, CRLF. */
static void files_of_earlier_versions_are_read(void)
{
    values v;
    KT_CHECK_STATUS(
        KT_OK,
        read_text(&v, "\xef\xbb\xbf[a]\r\nflag = true\r\n\r\n[b]\r\nwidths = [900, 901,\r\n    902,\r\n    903]\r\n"
                      "parts = 0.1,\n    0.2, ; so\n\n; a comment between\n    0.3\npath: C:\\x;y#z=1\n"));
    CU_ASSERT(v.flag && v.widths.n == 4 && v.widths.values[3] == 903 && v.parts.n == 3 && v.parts.values[2] == 0.3);
    CU_ASSERT_STRING_EQUAL(v.path, "C:\\x;y#z=1");
}

static void all_mistakes_are_told(void)
{
    values v;
    KT_CHECK_STATUS(KT_CONFIG,
                    read_text(&v, "[a]\ncount = 0\nsize\n  and more\nrate = 0.5\ncuont = 3\n[bb]\nnothing = 1\n"
                                  "[b]\ncolor = blue\ncolor = red\n"));
    KT_CHECK_MESSAGE("x.ini: 5 mistakes:\n  x.ini:2: a.count = 0");
    KT_CHECK_MESSAGE("\n  x.ini:3: neither");
    KT_CHECK_MESSAGE("\n  x.ini:6: there is no key a.cuont");
    KT_CHECK_MESSAGE("\n  x.ini:7: there is no section [bb]");
    KT_CHECK_MESSAGE("\n  x.ini:10: b.color = blue");
    CU_ASSERT(v.rate == 0.5 && v.color == 0);
}

static void after_very_many_mistakes_it_ends(void)
{
    values v;
    kt_text_buffer text = {0};
    char *many;
    kt_text_append(&text, "[a]\n");
    for (int i = 0; i < 100000; i++)
        kt_text_append(&text, "cuont%d = 1\n", i);
    KT_CHECK_STATUS(KT_OK, kt_text_take(&text, &many));
    KT_CHECK_STATUS(KT_CONFIG, read_text(&v, many));
    KT_CHECK_MESSAGE("\n  and 181 more"); /* with that of the key under way */
    kt_memory_free(many);
}

static void a_text_that_an_ini_could_not_hold_is_refused(void)
{
    values v;
    kt_options_defaults(&table, &v);
    KT_CHECK_STATUS(KT_CONFIG, kt_options_override(&table, &v, "b.path=a ; b"));
    KT_CHECK_STATUS(KT_CONFIG, kt_options_override(&table, &v, "b.path=a\nb"));
    KT_CHECK_STATUS(KT_CONFIG, kt_options_override(&table, &v, "b.path= a"));
    char longest[64 + KT_TEXT_BYTES] = "b.path=";
    memset(longest + 7, 'x', KT_TEXT_BYTES);
    KT_CHECK_STATUS(KT_CONFIG, kt_options_override(&table, &v, longest));
    longest[7 + KT_TEXT_BYTES - 1] = '\0';
    memcpy(longest + 100, ",x, x", 5); /* no place to cut */
    KT_CHECK_STATUS(KT_OK, kt_options_override(&table, &v, longest));
    char *text;
    KT_CHECK_STATUS(KT_OK, kt_options_write_ini(&table, &v, &text));
    KT_CHECK_STATUS(KT_OK, read_text(&v, text));
    CU_ASSERT_STRING_EQUAL(v.path, longest + 7);
    kt_memory_free(text);
}

static void documentation_names_every_key(void)
{
    char *text;
    KT_CHECK_STATUS(KT_OK, kt_options_document(&table, NULL, true, &text));
    for (size_t i = 0; i < table.n; i++)
        CU_ASSERT(strstr(text, rows[i].key) != NULL);
    kt_memory_free(text);
    KT_CHECK_STATUS(KT_OK, kt_options_document(&table, "b", false, &text));
    CU_ASSERT(strstr(text, "color") != NULL && strstr(text, "count") == NULL);
    kt_memory_free(text);
    KT_CHECK_STATUS(KT_OK, kt_options_document(&table, "b.color", false, &text));
    CU_ASSERT(strstr(text, "color") != NULL && strstr(text, "count") == NULL);
    kt_memory_free(text);
    KT_CHECK_STATUS(KT_USAGE, kt_options_document(&table, "z.color", false, &text));
    KT_CHECK_MESSAGE("there is no section [z]; ");
    KT_CHECK_STATUS(KT_USAGE, kt_options_document(&table, "z", false, &text));
    CU_ASSERT_PTR_NULL(text);
}

static void parts_are_joined_by_their_headings(void)
{
    static const kt_option first[] = {{"b", "u", KT_OPTION_INT, 0, "1", 0, 9, NULL, 0, "u"},
                                      {"a", "v", KT_OPTION_INT, 8, "2", 0, 9, NULL, 0, "v"}};
    static const kt_option second[] = {{"a", "w", KT_OPTION_INT, 0, "3", 0, 9, NULL, 0, "w"},
                                       {"a", "x", KT_OPTION_INT, 8, "4", 0, 9, NULL, 0, "x"}};
    static const kt_option_rows one = KT_OPTION_ROWS(first), two = KT_OPTION_ROWS(second);
    static const kt_option_group parts[] = {{&one, 0}, {&two, 16}};
    static const kt_option_place places[] = {{"a", "x", "v"}, {NULL, NULL, NULL}};
    kt_option joined[4];
    char keys[5] = "";
    size_t at = 0;
    CU_ASSERT(kt_options_join(parts, 2, headings, places, 4, joined) == 4);
    for (size_t i = 0; i < 4; i++)
        keys[i] = joined[i].key[0], at = at * 100 + joined[i].offset;
    CU_ASSERT_STRING_EQUAL(keys, "vxwu");
    CU_ASSERT(at == 8241600);
}

const kt_test kt_tests[] = {
    {"defaults are what the table says", defaults_are_what_the_table_says},
    {"every type is read", every_type_is_read},
    {"bad text is refused with its line, key, value and what would be right", bad_text_is_refused_with_its_line},
    {"a line too long or binary is refused", a_line_too_long_or_binary_is_refused},
    {"a name is suggested only when it is near, or what others call a key", a_name_is_suggested_only_when_it_is_near},
    {"another section's keys go elsewhere", another_sections_keys_go_elsewhere},
    {"an override sets one key or is refused", an_override_sets_one_key},
    {"what is written reads back the same", what_is_written_reads_back_the_same},
    {"files of earlier versions are read", files_of_earlier_versions_are_read},
    {"all mistakes are told, and no consequence of one", all_mistakes_are_told},
    {"after very many mistakes a file is read no further", after_very_many_mistakes_it_ends},
    {"a text that an INI could not hold is refused", a_text_that_an_ini_could_not_hold_is_refused},
    {"documentation names every key", documentation_names_every_key},
    {"parts are joined by their headings", parts_are_joined_by_their_headings},
    {NULL, NULL},
};
