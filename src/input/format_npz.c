/* NumPy's .npz: a zip archive of .npy files, stored or deflated. */
#include "input/format.h"
#include "input/format_stream.h"

#include <string.h>
#include <zip.h>

#include "base/memory.h"
#include "input/foreign.h"

static bool recognizes(const unsigned char *head, size_t n)
{
    return n >= 4 && head[0] == 'P' && head[1] == 'K' &&
           ((head[2] == 3 && head[3] == 4) || (head[2] == 5 && head[3] == 6));
}

static long read_member(void *handle, void *to, size_t n)
{
    return (long)zip_fread(handle, to, n);
}

static const char *member_error(void *handle)
{
    return zip_file_strerror(handle);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), n_end = strlen(end);
    return n >= n_end && strcmp(text + n - n_end, end) == 0;
}

/* names[n]: the members without their ".npy"; index[n]: where they are in the archive. Both owned by the caller. */
static kt_status list_members(zip_t *archive, size_t n_entries, size_t *n, char **names, zip_uint64_t *index)
{
    *n = 0;
    for (size_t i = 0; i < n_entries; i++) {
        const char *name = zip_get_name(archive, i, 0);
        if (name == NULL || !ends_with(name, ".npy"))
            continue;
        names[*n] = kt_memory_string(name);
        if (names[*n] == NULL)
            return KT_NO_MEMORY;
        names[*n][strlen(name) - strlen(".npy")] = '\0';
        index[(*n)++] = i;
    }
    return KT_OK;
}

/* Every scipy.sparse.save_npz has these; its "data" is no data set. */
static bool is_sparse(size_t n, char *const *names)
{
    static const char *const all[] = {"format", "shape", "data"};
    size_t n_found = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
            n_found += strcmp(names[i], all[k]) == 0;
    return n_found == sizeof all / sizeof all[0];
}

static kt_status check_members(zip_t *archive, const char *path, size_t n_entries, size_t n, char *const *names)
{
    if (is_sparse(n, names))
        return kt_fail(
            KT_DATA,
            "%s holds a sparse matrix of SciPy, where an array is needed: numpy.save(\"x.npy\", X.toarray()) "
            "writes one",
            path);
    for (size_t i = 0; n == 0 && i < n_entries; i++) {
        const char *name = zip_get_name(archive, i, 0);
        if (name != NULL)
            KT_TRY(kt_foreign_check_member(path, name));
    }
    return KT_OK;
}

static kt_status choose_member(zip_t *archive, const char *path, const char *member, const char *const *usual,
                               zip_uint64_t *chosen)
{
    zip_int64_t n_entries = zip_get_num_entries(archive, 0);
    size_t n_all = n_entries > 0 ? (size_t)n_entries : 0, n = 0, which = 0;
    char **names, *plain = NULL;
    zip_uint64_t *index = NULL;
    KT_TRY(KT_NEW(names, n_all));
    kt_status status = KT_NEW(index, n_all);
    if (status == KT_OK)
        status = list_members(archive, n_all, &n, names, index);
    if (status == KT_OK && member == NULL)
        status = check_members(archive, path, n_all, n, names);
    if (status == KT_OK && member != NULL) { /* "y.npy" is as good as "y" */
        plain = kt_memory_string(member);
        status = plain != NULL ? KT_OK : KT_NO_MEMORY;
        if (status == KT_OK && ends_with(plain, ".npy"))
            plain[strlen(plain) - strlen(".npy")] = '\0';
    }
    if (status == KT_OK)
        status = kt_format_choose(path, plain, usual, n, names, &which);
    for (size_t i = 0; status == KT_OK && i < n; i++)
        if (i != which && strcmp(names[i], names[which]) == 0)
            status = kt_fail(KT_DATA, "%s: has two members %.200s.npy: must have one of a name", path, names[which]);
    if (status == KT_OK)
        *chosen = index[which];
    for (size_t i = 0; i < n; i++)
        kt_memory_free(names[i]);
    kt_memory_free(names);
    kt_memory_free(index);
    kt_memory_free(plain);
    return status;
}

static kt_status check_member(zip_t *archive, const char *path, zip_uint64_t index, zip_stat_t *info)
{
    const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive, index, 0, info) != 0 || (info->valid & needed) != needed)
        return kt_fail(KT_DATA, "%s: member %zu has no size: %s", path, (size_t)index + 1, zip_strerror(archive));
    if (info->encryption_method != ZIP_EM_NONE)
        return kt_fail(KT_DATA, "%s: member %.200s is encrypted", path, info->name);
    if (info->comp_method != ZIP_CM_STORE && info->comp_method != ZIP_CM_DEFLATE)
        return kt_fail(KT_DATA, "%s: member %.200s is compressed by method %d; stored and deflated ones are read", path,
                       info->name, info->comp_method);
    return KT_OK;
}

static kt_status read_chosen(zip_t *archive, const char *path, size_t file_bytes, zip_uint64_t index, kt_array *out)
{
    zip_stat_t info;
    KT_TRY(check_member(archive, path, index, &info));
    /* What the archive says of a member is checked against the archive's own length. */
    size_t packed = info.comp_size < file_bytes ? (size_t)info.comp_size : file_bytes;
    if (info.size > kt_stream_most_unpacked(packed) || (info.comp_method == ZIP_CM_STORE && info.size > file_bytes))
        return kt_fail(KT_DATA, "%s: member %.200s claims %zu bytes, which %zu bytes of the archive cannot hold", path,
                       info.name, (size_t)info.size, packed);
    zip_file_t *file = zip_fopen_index(archive, index, 0);
    if (file == NULL)
        return kt_fail(KT_DATA, "%s: member %.200s cannot be opened: %s", path, info.name, zip_strerror(archive));
    char name[KT_MESSAGE_BYTES / 2];
    size_t used = strlen(path) < sizeof name / 2 ? 0 : strlen(path) - sizeof name / 2;
    strcpy(name, path + used);
    strcat(name, ":");
    strncat(name, info.name, sizeof name - strlen(name) - 1);
    kt_stream stream = {.name = name,
                        .handle = file,
                        .read = read_member,
                        .error = member_error,
                        .most_bytes = (size_t)info.size,
                        .exact = true};
    kt_status status = kt_npy_take(&stream, out);
    zip_fclose(file);
    return status;
}

static kt_status read_array(const char *path, const char *member, const char *const *usual, kt_array *out)
{
    *out = (kt_array){0};
    size_t file_bytes;
    KT_TRY(kt_stream_file_bytes(path, &file_bytes));
    int code = 0;
    zip_t *archive = zip_open(path, ZIP_RDONLY, &code);
    if (archive == NULL) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        kt_fail(KT_DATA, "%s is not a readable npz archive, perhaps truncated at %zu bytes: %s", path, file_bytes,
                zip_error_strerror(&error));
        zip_error_fini(&error);
        return KT_DATA;
    }
    zip_uint64_t index = 0;
    kt_status status = choose_member(archive, path, member, usual, &index);
    if (status == KT_OK)
        status = read_chosen(archive, path, file_bytes, index, out);
    zip_discard(archive);
    return status;
}

const kt_format kt_format_npz = {
    .help = "a NumPy archive, stored or deflated; FILE:NAME for one of its arrays",
    .recognizes = recognizes,
    .read = read_array,
};
