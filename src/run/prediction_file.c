/* Writing predictions in the format that the file's name asks for. */
#include "run/prediction_file.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "edge/hdf5_file.h"
#include "input/csv.h"

static kt_status write_csv(const char *path, size_t n, size_t n_classes, const float *p, char *const *class_names)
{
    kt_text_buffer buffer = {0};
    for (size_t c = 0; c < n_classes; c++) {
        kt_text_append(&buffer, "%s", c > 0 ? "," : "");
        if (class_names != NULL)
            kt_csv_append(&buffer, class_names[c]);
        else
            kt_text_append(&buffer, "Clase_%zu", c);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < n_classes; c++)
            kt_text_append(&buffer, "%c%.9g", c > 0 ? ',' : '\n', (double)p[i * n_classes + c]);
    kt_text_append(&buffer, "\n");
    return kt_file_replace_text(path, &buffer);
}

/* NPY format 1.0: magic, version, header length, a Python dict padded with spaces to a multiple of 64 bytes, the
 * data. */
static kt_status write_npy(const char *path, size_t n, size_t n_classes, const float *p, char *const *class_names)
{
    enum { PREFIX = 10, HEADER = 128 };
    (void)class_names; /* the format has no place for them */
    size_t n_bytes = n * n_classes * sizeof *p;
    unsigned char *bytes;
    KT_TRY(KT_NEW(bytes, HEADER + n_bytes));
    memset(bytes, ' ', HEADER);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (HEADER - PREFIX) & 0xff;
    bytes[9] = (HEADER - PREFIX) >> 8;
    int length = snprintf((char *)bytes + PREFIX, HEADER - PREFIX,
                          "{'descr': '%cf4', 'fortran_order': False, 'shape': (%zu, %zu), }",
                          __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '<' : '>', n, n_classes);
    bytes[PREFIX + length] = ' ';
    bytes[HEADER - 1] = '\n';
    memcpy(bytes + HEADER, p, n_bytes);
    kt_status status = kt_file_replace(path, bytes, HEADER + n_bytes);
    kt_memory_free(bytes);
    return status;
}

static kt_status write_hdf5(const char *path, size_t n, size_t n_classes, const float *p, char *const *class_names)
{
    kt_hdf5 *file;
    KT_TRY(kt_hdf5_create(&file));
    kt_status status = kt_hdf5_write(file, "/probabilities", KT_F32, 2, (size_t[]){n, n_classes}, p);
    if (status == KT_OK && class_names != NULL)
        status = kt_hdf5_write_texts(file, "/class_names", n_classes, class_names);
    if (status == KT_OK)
        status = kt_hdf5_save(file, path);
    kt_hdf5_close(file);
    return status;
}

typedef kt_status write_function(const char *path, size_t n, size_t n_classes, const float *p,
                                 char *const *class_names);

static write_function *find(const char *path)
{
    static const struct {
        const char *ending;
        write_function *write;
    } rows[] = {{".csv", write_csv}, {".npy", write_npy}, {".h5", write_hdf5}};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n_ending = strlen(rows[i].ending);
        if (n > n_ending && strcmp(path + n - n_ending, rows[i].ending) == 0)
            return rows[i].write;
    }
    return NULL;
}

kt_status kt_prediction_file_check(const char *path)
{
    return find(path) != NULL ? KT_OK
                              : kt_fail(KT_USAGE, "%s: cannot tell the format: must end in .csv, .npy or .h5", path);
}

kt_status kt_prediction_file_write(const char *path, size_t n, size_t n_classes, const float *probabilities,
                                   char *const *class_names)
{
    KT_TRY(kt_prediction_file_check(path));
    return find(path)(path, n, n_classes, probabilities, class_names);
}
