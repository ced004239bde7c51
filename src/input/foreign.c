/* First bytes of files that are not ours, and the advice for each. */
#include "input/foreign.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

typedef struct foreign {
    size_t offset;
    const char *magic;
    size_t n; /* bytes of magic; it may hold zeros */
    const char *name, *advice;
} foreign;

#define MAGIC(text)            0, text, sizeof text - 1
#define MAGIC_AT(offset, text) offset, text, sizeof text - 1
#define TABLE                  "write the numbers with NumPy, as in numpy.save(\"x.npy\", table.to_numpy())"
#define UNPACK                 "unpack it first"
#define PIXELS                 "pictures must be decoded into one array (samples, height, width), as numpy.save writes it"
#define UTF_16                 "UTF-16 text", "must be UTF-8, as by `iconv -f UTF-16 -t UTF-8 IN >OUT`"

/* Longer ones before those that they begin with. A magic that a table's first name could be has a byte more, which no
 * text has. */
static const foreign rows[] = {
    {MAGIC("version https://git-lfs"), "a pointer of Git LFS, not the data", "`git lfs pull` fetches them"},
    {MAGIC("version https://hawser"), "a pointer of Git LFS, not the data", "`git lfs pull` fetches them"},
    {MAGIC("/annex/objects/"), "a pointer of git-annex, not the data", "`git annex get FILE` fetches them"},
    {MAGIC("outs:\n"), "a pointer of DVC, not the data", "`dvc pull` fetches them"},
    {MAGIC("md5: "), "a pointer of DVC, not the data", "`dvc pull` fetches them"},
    {MAGIC("\xff\xfe\0\0"), "UTF-32 text", "must be UTF-8, as by `iconv -f UTF-32 -t UTF-8 IN >OUT`"},
    {MAGIC("\0\0\xfe\xff"), "UTF-32 text", "must be UTF-8, as by `iconv -f UTF-32 -t UTF-8 IN >OUT`"},
    {MAGIC("\xff\xfe"), UTF_16},
    {MAGIC("\xfe\xff"), UTF_16},
    {MAGIC("PAR1\x15"), "a Parquet file", TABLE},
    {MAGIC("ARROW1\0\0"), "an Arrow (Feather) file", TABLE},
    {MAGIC("FEA1\0"), "a Feather file", TABLE},
    {MAGIC("ORC"), "an ORC file", TABLE},
    {MAGIC("Obj\1"), "an Avro file", TABLE},
    {MAGIC("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an old Excel (or Office) file", "save the table as CSV"},
    {MAGIC("SQLite format 3"), "an SQLite database", "export the table as CSV"},
    {MAGIC("<stata_dta>"), "a Stata file", TABLE},
    {MAGIC("$FL2"), "an SPSS file", TABLE},
    {MAGIC("RDX2\n"), "an R data file", "write.csv(x, \"x.csv\", row.names = FALSE) writes a table"},
    {MAGIC("RDX3\n"), "an R data file", "write.csv(x, \"x.csv\", row.names = FALSE) writes a table"},
    {MAGIC("MATLAB 5.0"), "a MATLAB file of version 5 to 7",
     "save(\"x.mat\", \"X\", \"y\", \"-v7.3\") writes HDF5, or scipy.io.loadmat and numpy.save"},
    {MAGIC("CDF\1"), "a NetCDF 3 file", "`nccopy -k nc4 IN OUT.h5` makes HDF5 of it"},
    {MAGIC("CDF\2"), "a NetCDF 3 file", "`nccopy -k nc4 IN OUT.h5` makes HDF5 of it"},
    {MAGIC("\x0e\x03\x13\x01"), "an HDF4 file", "`h4toh5convert IN OUT.h5` makes HDF5 of it"},
    {MAGIC("\x80\2"), "a Python pickle (or an old PyTorch file)", "numpy.save writes what is read"},
    {MAGIC("\x80\3"), "a Python pickle", "numpy.save writes what is read"},
    {MAGIC("\x80\4"), "a Python pickle", "numpy.save writes what is read"},
    {MAGIC("\x80\5"), "a Python pickle", "numpy.save writes what is read"},
    {MAGIC("\x89PNG"), "a PNG picture", PIXELS},
    {MAGIC("\xff\xd8\xff"), "a JPEG picture", PIXELS},
    {MAGIC("GIF8"), "a GIF picture", PIXELS},
    {MAGIC("II*\0"), "a TIFF picture", PIXELS},
    {MAGIC("MM\0*"), "a TIFF picture", PIXELS},
    {MAGIC("%PDF"), "a PDF document", "a file of numbers is needed"},
    {MAGIC("BZh"), "compressed by bzip2", UNPACK " (bunzip2)"},
    {MAGIC("\xfd"
           "7zXZ\0"),
     "compressed by xz", UNPACK " (unxz)"},
    {MAGIC("\x28\xb5\x2f\xfd"), "compressed by zstd", UNPACK " (unzstd)"},
    {MAGIC("7z\xbc\xaf\x27\x1c"), "a 7z archive", UNPACK},
    {MAGIC("Rar!"), "a RAR archive", UNPACK},
    {MAGIC_AT(257, "ustar"), "a tar archive", UNPACK " (tar xf)"},
    {MAGIC("<?xml"), "XML", "a file of numbers is needed"},
    {MAGIC("<!DOCTYPE"), "a web page, not the data", "the download has failed, or asks for a login: fetch it again"},
    {MAGIC("<html"), "a web page, not the data", "the download has failed, or asks for a login: fetch it again"},
    {MAGIC("{"), "JSON", "numpy.save writes what is read"},
    {MAGIC("[["), "JSON", "numpy.save writes what is read"},
    {MAGIC("[{"), "JSON", "numpy.save writes what is read"},
};

/* Members of zip archives, by the end of their names. */
static const struct {
    const char *end, *name, *advice;
} members[] = {
    {"data.pkl", "a PyTorch file", "numpy.save(\"x.npy\", tensor.numpy()) writes what is read"},
    {"xl/workbook.xml", "an Excel file", "save the table as CSV"},
    {"content.xml", "an OpenDocument file", "save the table as CSV"},
    {".csv", "a zip archive of a CSV file", UNPACK " (unzip)"},
    {".txt", "a zip archive of a text", UNPACK " (unzip)"},
    {".png", "a zip archive of pictures", PIXELS},
    {".jpg", "a zip archive of pictures", PIXELS},
    {".mat", "a zip archive of a MATLAB file", UNPACK " (unzip)"},
    {".h5", "a zip archive of an HDF5 file", UNPACK " (unzip)"},
};

static kt_status fail(const char *path, const char *name, const char *advice)
{
    return kt_fail(KT_DATA, "%s is %s: %s", path, name, advice);
}

/* ASCII in two bytes each without a mark before it. */
static bool is_unmarked_utf_16(const unsigned char *head, size_t n)
{
    bool little = n >= 8, big = n >= 8;
    for (size_t i = 0; i < 8 && i < n; i++) {
        const bool text = head[i] == '\n' || head[i] == '\r' || head[i] == '\t' || (head[i] >= ' ' && head[i] <= '~');
        little = little && (i % 2 == 0 ? text : head[i] == 0);
        big = big && (i % 2 == 1 ? text : head[i] == 0);
    }
    return little || big;
}

kt_status kt_foreign_check(const char *path, const unsigned char *head, size_t n)
{
    size_t blank = 0; /* pages may begin with empty lines */
    while (blank < n && (head[blank] == '\n' || head[blank] == '\r' || head[blank] == ' '))
        blank++;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const foreign *f = &rows[i];
        const bool page = f->magic[0] == '<';
        const size_t at = page ? blank : f->offset;
        if (n < at + f->n)
            continue;
        if (page ? strncasecmp((const char *)head + at, f->magic, f->n) == 0 : memcmp(head + at, f->magic, f->n) == 0)
            return fail(path, f->name, f->advice);
    }
    return is_unmarked_utf_16(head, n) ? kt_foreign_check(path, (const unsigned char *)"\xff\xfe", 2) : KT_OK;
}

kt_status kt_foreign_check_member(const char *path, const char *member)
{
    const size_t n = strlen(member);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const size_t n_end = strlen(members[i].end);
        if (n >= n_end && strcasecmp(member + n - n_end, members[i].end) == 0)
            return fail(path, members[i].name, members[i].advice);
    }
    return KT_OK;
}
