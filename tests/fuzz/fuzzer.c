<<<<<<< HEAD
/* The program of libFuzzer, which has main(): KT_FUZZ_TARGET names what is read, KT_FUZZ_FOLDER where its files are. */
=======
/* The program of libFuzzer, which has main(): KT_FUZZ_TARGET names what is read, KT_FUZZ_FOLDER a folder for its
 * files. */
>>>>>>> origin/fuzz
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "targets.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const kt_fuzz_target *target;
static const char *folder;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *name = getenv("KT_FUZZ_TARGET");
    (void)argc, (void)argv;
    folder = getenv("KT_FUZZ_FOLDER");
    target = name != NULL ? kt_fuzz_find(name) : NULL;
    if (target != NULL && folder != NULL)
        return 0;
    fprintf(stderr, "KT_FUZZ_TARGET must name a target, and KT_FUZZ_FOLDER a folder\n");
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    (void)kt_fuzz_read(target, folder, bytes, n);
    return 0;
}
