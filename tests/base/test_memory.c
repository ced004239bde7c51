/* Allocation, overflow of sizes, and the memory that is left. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "test.h"

const char *const kt_test_suite = "memory";

static void memory_is_zeroed_and_aligned(void)
{
    for (size_t n = 0; n < 300; n += 7) {
        unsigned char *bytes = kt_memory_new(n, 1);
        CU_ASSERT_PTR_NOT_NULL(bytes);
        CU_ASSERT((uintptr_t)bytes % 64 == 0);
        bool zero = true;
        for (size_t i = 0; i < n; i++)
            zero = zero && bytes[i] == 0;
        CU_ASSERT(zero);
        kt_memory_free(bytes);
    }
}

static void huge_memory_is_zeroed_aligned_and_only_there_where_touched(void)
{
    const size_t sizes[] = {0, 1, 4095, 4096, ((size_t)2 << 20) - 1, ((size_t)2 << 20), ((size_t)5 << 20) + 7};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        size_t n = sizes[k];
        unsigned char *bytes = kt_memory_new_huge(n);
        CU_ASSERT_PTR_NOT_NULL(bytes);
        CU_ASSERT((uintptr_t)bytes % ((size_t)2 << 20) == 0);
        bool zero = true;
        for (size_t i = 0; i < n; i++)
            zero = zero && bytes[i] == 0;
        CU_ASSERT(zero);
        memset(bytes, 1, n);
        kt_memory_free_huge(bytes, n);
    }
    size_t half = kt_memory_available() / 2; /* more than a test should touch */
    char *bytes = kt_memory_new_huge(half < (size_t)1 << 40 ? half : (size_t)1 << 40);
    CU_ASSERT_PTR_NOT_NULL(bytes);
    kt_memory_free_huge(bytes, half < (size_t)1 << 40 ? half : (size_t)1 << 40);
    kt_memory_free_huge(NULL, 1);
}

static void huge_memory_that_cannot_be_is_refused(void)
{
    CU_ASSERT_PTR_NULL(kt_memory_new_huge(SIZE_MAX));
    CU_ASSERT_PTR_NULL(kt_memory_new_huge((size_t)1 << 60));
    KT_CHECK_MESSAGE("cannot allocate");
}

/* ---- what is left, by files made here ---- */

static void write_text(const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", kt_test_scratch(name));
    for (char *slash = strchr(path + strlen(kt_test_scratch("")), '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    CU_ASSERT_FATAL(file != NULL);
    fputs(text, file);
    fclose(file);
}

/* A process in group `path` of control groups mounted from `root`, of this type and with these options. */
static void write_proc(const char *id, const char *path, const char *root, const char *type, const char *options)
{
    char text[4096];
    write_text("proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:    8000 kB\n");
    snprintf(text, sizeof text, "9:name=systemd:/\n8:cpu,cpuacct:/x\n%s:%s\n", id, path);
    write_text("proc/self/cgroup", text);
    snprintf(text, sizeof text, "24 1 0:5 / /dev rw - devtmpfs udev rw\n31 23 0:28 %s %s rw,shared:9 - %s %s %s\n",
             root, kt_test_scratch("groups"), type, type, options);
    write_text("proc/self/mountinfo", text);
}

static size_t left(void)
{
    return kt_memory_available_by(kt_test_scratch("proc"));
}

static void a_control_group_leaves_less_than_the_host(void)
{
    write_proc("0:", "/job/step", "/", "cgroup2", "rw");
    CU_ASSERT_EQUAL(left(), 8000 * 1024); /* no limits are there */
    write_text("groups/job/step/memory.max", "max\n");
    write_text("groups/job/step/memory.current", "500\n");
    CU_ASSERT_EQUAL(left(), 8000 * 1024);
    write_text("groups/job/memory.max", "7000\n");
    write_text("groups/job/memory.current", "4000\n");
    CU_ASSERT_EQUAL(left(), 3000); /* of one that it is in */
    write_text("groups/job/memory.stat", "anon 5\nfile 9\ninactive_file 600\nactive_file 400\n");
    CU_ASSERT_EQUAL(left(), 4000); /* pages of files are given back */
    write_text("groups/job/step/memory.max", "2500\n");
    CU_ASSERT_EQUAL(left(), 2000); /* of its own */
    write_text("groups/job/step/memory.current", "2600\n");
    CU_ASSERT_EQUAL(left(), 0);
    write_proc("0:", "/host/pod/job", "/host/pod", "cgroup2", "rw"); /* a container sees its own part only */
    CU_ASSERT_EQUAL(left(), 4000);
    write_proc("0:", "/../other", "/", "cgroup2", "rw");
    CU_ASSERT_EQUAL(left(), 8000 * 1024);
}

static void so_does_one_of_the_first_version(void)
{
    write_text("groups/old/uid/memory.limit_in_bytes", "9223372036854771712\n");
    write_text("groups/old/uid/memory.usage_in_bytes", "100\n");
    write_text("groups/old/memory.limit_in_bytes", "5000\n");
    write_text("groups/old/memory.usage_in_bytes", "3000\n");
    write_text("groups/old/memory.stat", "inactive_file 0\ntotal_inactive_file 30\ntotal_active_file 4\n");
    write_proc("5:hugetlb,memory", "/old/uid", "/", "cgroup", "rw,hugetlb,memory");
    CU_ASSERT_EQUAL(left(), 2034);
    write_proc("5:memory", "/old/uid", "/", "cgroup", "rw,cpuset"); /* another controller's */
    CU_ASSERT_EQUAL(left(), 8000 * 1024);
    CU_ASSERT_EQUAL(kt_memory_available_by("/nowhere"), SIZE_MAX);
    CU_ASSERT(kt_memory_available() > 0);
}

static void a_product_that_overflows_is_refused(void)
{
    CU_ASSERT_PTR_NULL(kt_memory_new(SIZE_MAX / 2, 4));
    KT_CHECK_MESSAGE("more than this machine can address");
    double *x;
    CU_ASSERT(KT_NEW(x, SIZE_MAX / 8) == KT_NO_MEMORY);
}

static void a_string_is_copied_with_its_end(void)
{
    char *copy = kt_memory_string("loss");
    CU_ASSERT_STRING_EQUAL(copy, "loss");
    kt_memory_free(copy);
    kt_memory_free(NULL);
}

const kt_test kt_tests[] = {
    {"memory is zeroed and aligned to 64 bytes", memory_is_zeroed_and_aligned},
    {"huge memory is zeroed, aligned, and only there where touched",
     huge_memory_is_zeroed_aligned_and_only_there_where_touched},
    {"huge memory that cannot be is refused", huge_memory_that_cannot_be_is_refused},
    {"a control group leaves less than the host", a_control_group_leaves_less_than_the_host},
    {"so does one of the first version", so_does_one_of_the_first_version},
    {"a product that overflows is refused", a_product_that_overflows_is_refused},
    {"a string is copied with its end", a_string_is_copied_with_its_end},
    {NULL, NULL},
};
