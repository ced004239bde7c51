/* Files: reading, replacing, locking. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "test.h"

const char *const kt_test_suite = "file";

static void check_content(const char *path, const char *expected)
{
    unsigned char *bytes;
    size_t n;
    KT_CHECK_STATUS(KT_OK, kt_file_read(path, &bytes, &n));
    CU_ASSERT(bytes != NULL && n == strlen(expected) && strcmp((char *)bytes, expected) == 0);
    kt_memory_free(bytes);
}

static void what_is_written_is_read_back(void)
{
    const char *path = kt_test_scratch("a.txt");
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, "one", 3));
    check_content(path, "one");
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, "three", 5));
    check_content(path, "three");
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, "", 0));
    check_content(path, "");
}

static void what_cannot_be_read_is_no_input(void)
{
    unsigned char *bytes;
    size_t n;
    KT_CHECK_STATUS(KT_NO_INPUT, kt_file_read(kt_test_scratch("absent"), &bytes, &n));
    KT_CHECK_MESSAGE("absent");
    CU_ASSERT_PTR_NULL(bytes);
    KT_CHECK_STATUS(KT_NO_INPUT, kt_file_read(kt_test_scratch("."), &bytes, &n));
    KT_CHECK_MESSAGE("not a regular file");
}

static size_t count_files(const char *directory)
{
    size_t n = 0;
    DIR *d = opendir(directory);
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

/* A file size limit stands for the full disk: the write stops in the middle. */
static void a_write_that_fails_leaves_the_old_file(void)
{
    struct rlimit before, small = {.rlim_cur = 4096};
    static char large[100000];
    const char *directory = kt_test_scratch("limited");
    char path[KT_PATH_BYTES];
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(directory));
    KT_CHECK_STATUS(KT_OK, kt_file_path(path, "%s/x", directory));
    KT_CHECK_STATUS(KT_OK, kt_file_replace(path, "old", 3));
    size_t n_files = count_files(directory);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    kt_status status = kt_file_replace(path, large, sizeof large);
    setrlimit(RLIMIT_FSIZE, &before);
    CU_ASSERT(status == KT_IO);
    KT_CHECK_MESSAGE("writing stopped at byte");
    check_content(path, "old");
    CU_ASSERT(count_files(directory) == n_files);
}

static void links_stay_and_devices_are_written_to(void)
{
    struct stat info;
    char link[KT_PATH_BYTES];
    KT_CHECK_STATUS(KT_OK, kt_file_replace(kt_test_scratch("target"), "old", 3));
    kt_file_path(link, "%s", kt_test_scratch("link"));
    CU_ASSERT(symlink("target", link) == 0);
    KT_CHECK_STATUS(KT_OK, kt_file_replace(link, "new", 3));
    check_content(kt_test_scratch("target"), "new");
    CU_ASSERT(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
    CU_ASSERT(mkfifo(kt_test_scratch("pipe"), 0600) == 0);
    int reader = open(kt_test_scratch("pipe"), O_RDONLY | O_NONBLOCK);
    char text[8] = "";
    KT_CHECK_STATUS(KT_OK, kt_file_replace(kt_test_scratch("pipe"), "pipe", 4));
    CU_ASSERT(read(reader, text, sizeof text) == 4 && strcmp(text, "pipe") == 0);
    CU_ASSERT(stat(kt_test_scratch("pipe"), &info) == 0 && S_ISFIFO(info.st_mode));
    close(reader);
    KT_CHECK_STATUS(KT_IO, kt_file_replace(kt_test_scratch("."), "x", 1));
    KT_CHECK_MESSAGE("is a directory");
}

static void directories_are_made_with_their_parents(void)
{
    const char *path = kt_test_scratch("p/q/r");
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(path));
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(path));
    CU_ASSERT(kt_file_exists(path));
    KT_CHECK_STATUS(KT_OK, kt_file_replace(kt_test_scratch("p/file"), "x", 1));
    KT_CHECK_STATUS(KT_IO, kt_file_make_directory(kt_test_scratch("p/file/q")));
    KT_CHECK_MESSAGE("there is a file of that name");
    CU_ASSERT(symlink("nowhere", kt_test_scratch("p/link")) == 0);
    KT_CHECK_STATUS(KT_IO, kt_file_make_directory(kt_test_scratch("p/link")));
    KT_CHECK_MESSAGE("there is a link of that name, which leads nowhere");
}

static void a_path_that_does_not_fit_is_refused(void)
{
    char path[KT_PATH_BYTES], text[2 * KT_PATH_BYTES];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    KT_CHECK_STATUS(KT_CONFIG, kt_file_path(path, "%s", text));
}

static void a_tree_is_removed_and_nothing_beside_it(void)
{
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(kt_test_scratch("tree/a/b")));
    KT_CHECK_STATUS(KT_OK, kt_file_replace(kt_test_scratch("tree/a/b/file"), "x", 1));
    KT_CHECK_STATUS(KT_OK, kt_file_replace(kt_test_scratch("kept"), "x", 1));
    CU_ASSERT(symlink(kt_test_scratch("kept"), kt_test_scratch("tree/a/link")) == 0);
    kt_file_remove_tree(kt_test_scratch("tree"));
    CU_ASSERT(!kt_file_exists(kt_test_scratch("tree")));
    CU_ASSERT(kt_file_exists(kt_test_scratch("kept")));
    kt_file_remove_tree(kt_test_scratch("nothing"));
}

static void a_lock_is_held_by_one_or_shared_by_many(void)
{
    int one, other;
    const char *path = kt_test_scratch("lock");
    KT_CHECK_STATUS(KT_OK, kt_file_lock(path, true, &one));
    KT_CHECK_STATUS(KT_OK, kt_file_lock(path, true, &other));
    CU_ASSERT(one >= 0 && other >= 0);
    close(other);
    KT_CHECK_STATUS(KT_OK, kt_file_lock(path, false, &other));
    CU_ASSERT(other == -1);
    close(one);
    KT_CHECK_STATUS(KT_OK, kt_file_lock(path, false, &other));
    CU_ASSERT(other >= 0);
    close(other);
    KT_CHECK_STATUS(KT_IO, kt_file_lock(kt_test_scratch("no/such/lock"), false, &other));
}

static bool moves_directory;

/* The linker puts this between ktrain and the system (--wrap): somebody moves the directory before the lock is had. */
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
    if (moves_directory) {
        moves_directory = false;
        CU_ASSERT(rename(kt_test_scratch("moved"), kt_test_scratch("moved.old")) == 0);
        KT_CHECK_STATUS(KT_OK, kt_file_make_directory(kt_test_scratch("moved")));
    }
    return __real_flock(fd, operation);
}

static void a_lock_is_of_the_directory_that_is_there(void)
{
    int lock, other;
    struct stat named, locked;
    KT_CHECK_STATUS(KT_OK, kt_file_make_directory(kt_test_scratch("moved")));
    moves_directory = true;
    KT_CHECK_STATUS(KT_OK, kt_file_lock(kt_test_scratch("moved/lock"), false, &lock));
    CU_ASSERT(!moves_directory && lock >= 0 && fstat(lock, &locked) == 0);
    CU_ASSERT(stat(kt_test_scratch("moved/lock"), &named) == 0 && named.st_ino == locked.st_ino);
    KT_CHECK_STATUS(KT_OK, kt_file_lock(kt_test_scratch("moved.old/lock"), false, &other));
    CU_ASSERT(other >= 0);
    close(other);
    close(lock);
}

const kt_test kt_tests[] = {
    {"what is written is read back", what_is_written_is_read_back},
    {"what cannot be read is no input", what_cannot_be_read_is_no_input},
    {"a write that fails leaves the old file and nothing else", a_write_that_fails_leaves_the_old_file},
    {"links stay, and devices and pipes are written to", links_stay_and_devices_are_written_to},
    {"directories are made with their parents", directories_are_made_with_their_parents},
    {"a path that does not fit is refused", a_path_that_does_not_fit_is_refused},
    {"a tree is removed and nothing beside it", a_tree_is_removed_and_nothing_beside_it},
    {"a lock is held by one or shared by many", a_lock_is_held_by_one_or_shared_by_many},
    {"a lock is of the directory that is there, not of one that was moved", a_lock_is_of_the_directory_that_is_there},
    {NULL, NULL},
};
