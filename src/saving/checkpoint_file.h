/* The envelope of a checkpoint on disk, and the directory of them. Everything here is local.
 *
 * A file is a header of 512 bytes of text (format, length and CRC-32 of the rest, CRC-32 of itself) and an HDF5 image,
 * which HDF5's own tools open as it is, since HDF5 looks for its superblock at byte 512 too. Length and checksums are
 * verified before HDF5 sees a byte: a damaged HDF5 file can hang its reader. */
#ifndef KTRAIN_CHECKPOINT_FILE_H
#define KTRAIN_CHECKPOINT_FILE_H

#include "base/file.h"
#include "edge/hdf5_file.h"

enum { KT_CHECKPOINT_FORMAT = 1 };

/* Replaces `path` atomically by header and image of `file`. KT_IO, the old file untouched. */
kt_status kt_checkpoint_file_write(const char *path, kt_hdf5 *file);

/* Verifies and opens. KT_NO_INPUT; KT_DATA, saying what is wrong: no checkpoint, cut short, damaged, of a newer
 * format. *newer (may be NULL) is true in the last case. */
kt_status kt_checkpoint_file_open(const char *path, kt_hdf5 **file, bool *newer);

/* The checkpoints in a directory, newest first: *n paths of files named step-N.h5. *paths is owned by the caller
 * (kt_memory_free). No directory: none. */
kt_status kt_checkpoint_file_list(const char *directory, size_t *n, char (**paths)[KT_PATH_BYTES]);

/* Removes all but the `keep` newest, and temporary files that a killed run has left. */
kt_status kt_checkpoint_file_prune(const char *directory, size_t keep);

#endif
