/* One source, several instruction sets: a function marked KT_CLONES is compiled for AVX-512, AVX2 and the baseline,
 * and the loader takes the best the processor has. For static functions only: clang 14 gives a public one's clones
 * another name. Build with -ffp-contract=off: all clones then round alike, so a result does not depend on the
 * processor. */
#ifndef KTRAIN_SIMD_H
#define KTRAIN_SIMD_H

/* Clones need ifunc (glibc on x86-64 here); ThreadSanitizer's runtime is not up yet when the loader resolves them. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define KT_NO_CLONES
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define KT_NO_CLONES
#endif

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(KT_NO_CLONES)
#define KT_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define KT_CLONES
#endif

#endif
