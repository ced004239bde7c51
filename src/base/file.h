/* Whole files: read at once, replaced at once. Everything here is local. */
#ifndef KTRAIN_FILE_H
#define KTRAIN_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum { KT_PATH_BYTES = PATH_MAX }; /* the longest path that the system takes, with its end */

bool kt_file_exists(const char *path);
bool kt_file_is_directory(const char *path);
bool kt_file_is_regular(const char *path); /* false also when it does not exist */

/* Whether both exist and are the same file, also by links. */
bool kt_file_same(const char *a, const char *b);

/* KT_NO_INPUT with the reason in errno; of a relative path that is not there also where it was looked for. `wanted`
 * ends the sentence: ": must be ...", or "". */
kt_status kt_file_fail_open(const char *path, const char *wanted);

/* Writes to found[KT_PATH_BYTES] the whole path of a file's relative path within a folder. False when there is none. */
bool kt_file_find_in(const char *folder, const char *path, char *found);

/* *bytes (owned by the caller, kt_memory_free) holds the file and a NUL after it. KT_NO_INPUT when it cannot be
 * opened, KT_IO when reading fails. */
kt_status kt_file_read(const char *path, unsigned char **bytes, size_t *n_bytes);

/* The file becomes exactly bytes[n_bytes], or stays as it was: written to "path.tmp.PID", fsynced, renamed, directory
 * fsynced. Symbolic links are followed; a device or a pipe is written to as it is. KT_IO, and no temporary file left,
 * when the disk is full or the directory cannot be written. */
kt_status kt_file_replace(const char *path, const void *bytes, size_t n_bytes);

/* A file that is written piece by piece and takes the place of another when it is whole. */
typedef struct kt_replacement {
    int fd; /* -1: none is under way */
    size_t n_bytes;
    char path[KT_PATH_BYTES], temporary[KT_PATH_BYTES];
} kt_replacement;

/* Begins "path.tmp.PID"; behind symbolic links, which stay. KT_IO: nothing was begun. */
kt_status kt_replacement_begin(kt_replacement *r, const char *path);

/* Adds bytes at its end; or writes over its first ones. KT_IO: it must be ended as a failure. */
kt_status kt_replacement_append(kt_replacement *replacement, const void *bytes, size_t n_bytes);
kt_status kt_replacement_write_front(kt_replacement *replacement, const void *bytes, size_t n_bytes);

/* With KT_OK: fsynced, renamed, directory fsynced; the file at the path is now this one, or, KT_IO, still the old one.
 * With any other status, which is returned: the temporary file is gone. */
kt_status kt_replacement_end(kt_replacement *replacement, kt_status status);

/* How many of the bytes are written: fewer than n_bytes when an error (errno) has stopped it. A call that a signal
 * interrupts is made again. */
size_t kt_file_write(int fd, const void *bytes, size_t n_bytes);

/* A file that was made or renamed lasts through a power cut only once its directory is on disk. KT_IO. */
kt_status kt_file_sync_directory_of(const char *path);

/* Removes the temporary files that killed processes have left in a directory: call it where no other process writes.
 * What cannot be removed does no harm, and stays. */
void kt_file_remove_leftovers(const char *directory);

/* The same from a text, which is freed and left empty in any case. */
kt_status kt_file_replace_text(const char *path, kt_text_buffer *text);

/* How many entries of a directory fit none of the patterns (of fnmatch; NULL ends them), and the first of them in the
 * order of the alphabet in name[KT_NAME_BYTES], "" for none. A directory that is not there has no entries. */
enum { KT_NAME_BYTES = 256 };
size_t kt_file_strangers(const char *directory, const char *const *patterns, char name[KT_NAME_BYTES]);

/* Makes the directory and its parents; fine when it exists. KT_IO. */
kt_status kt_file_make_directory(const char *path);

/* Removes a directory and all that is in it. What is not there or cannot be removed is no failure. */
void kt_file_remove_tree(const char *path);

/* Locks a file, which is made when it is not there, for this process alone or (shared) for all who share it; waits up
 * to 3 s for those who are about to end. *lock is the open descriptor of the file that now has this path, closing it
 * unlocks; -1 when another holds it. A file system without locks locks nothing. KT_IO. */
kt_status kt_file_lock(const char *path, bool shared, int *lock);

/* Writes the printf-formatted path to path[KT_PATH_BYTES]; KT_CONFIG when it does not fit. */
kt_status kt_file_path(char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
