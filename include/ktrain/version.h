/* What this ktrain is. The numbers here are the source: the build reads them. */
#ifndef KTRAIN_PUBLIC_VERSION_H
#define KTRAIN_PUBLIC_VERSION_H

#define KTRAIN_VERSION "0.1.0"

/* Counted up when a program that was linked with an older libktrain must be compiled anew. It is the number in the name
 * of the shared library: libktrain.so.0. */
#define KTRAIN_ABI 0

#if defined(__GNUC__)
#define KTRAIN_API __attribute__((visibility("default")))
#else
#define KTRAIN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Of the library that the program runs with, which may be another than the header's. Local, any thread. */
KTRAIN_API const char *ktrain_version(void); /* "0.1.0, commit 1a2b3c4d5e6f" */
KTRAIN_API int ktrain_abi(void);

#ifdef __cplusplus
}
#endif

#endif
