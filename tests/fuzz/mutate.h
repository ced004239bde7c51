/* Mutants of a file, the same ones in every run. */
#ifndef KTRAIN_TEST_FUZZ_MUTATE_H
#define KTRAIN_TEST_FUZZ_MUTATE_H

#include <stdint.h>
#include <string.h>

#include "base/memory.h"

/* xorshift64: below n, n > 0; *state is never 0. */
static inline size_t draw(uint64_t *state, size_t n)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)(*state % n);
}

typedef struct mutant {
    unsigned char *bytes; /* owned */
    size_t n;
} mutant;

/* A change of bytes [at, at + n) of a mutant, whose room is twice what it has. */
typedef void change(uint64_t *state, mutant *m, size_t at, size_t n);

static inline void flip_bit(uint64_t *state, mutant *m, size_t at, size_t n)
{
    (void)n;
    m->bytes[at] ^= (unsigned char)(1U << draw(state, 8));
}

static inline void put_byte(uint64_t *state, mutant *m, size_t at, size_t n)
{
    (void)n;
    m->bytes[at] = (unsigned char)draw(state, 256);
}

/* One that readers trip over, as many bytes of it as there is room for. */
static inline void put_number(uint64_t *state, mutant *m, size_t at, size_t n)
{
    static const uint64_t numbers[] = {0, 1, 0x7f, 0xff, 0x7fff, 0x7fffffff, 0xffffffff, UINT64_C(1) << 62, UINT64_MAX};
    const uint64_t number = numbers[draw(state, sizeof numbers / sizeof numbers[0])];
    const size_t width = (size_t)1 << draw(state, 4), room = m->n - at;
    (void)n;
    memcpy(m->bytes + at, &number, width < room ? width : room);
}

static inline void cut_short(uint64_t *state, mutant *m, size_t at, size_t n)
{
    (void)state, (void)n;
    m->n = at + 1;
}

static inline void lose_piece(uint64_t *state, mutant *m, size_t at, size_t n)
{
    (void)state;
    if (n == m->n)
        return;
    memmove(m->bytes + at, m->bytes + at + n, m->n - at - n);
    m->n -= n;
}

static inline void repeat_piece(uint64_t *state, mutant *m, size_t at, size_t n)
{
    (void)state;
    memmove(m->bytes + at + n, m->bytes + at, m->n - at);
    m->n += n;
}

/* One to four changes. bytes[n], n > 0. */
static inline mutant mutate(uint64_t *state, const unsigned char *bytes, size_t n)
{
    static change *const changes[] = {flip_bit, put_byte, put_number, cut_short, lose_piece, repeat_piece};
    enum { MOST_CHANGES = 4 };
    mutant m = {kt_memory_new(n << MOST_CHANGES, 1), n};
    memcpy(m.bytes, bytes, n);
    for (size_t i = 1 + draw(state, MOST_CHANGES); i > 0; i--) {
        const size_t at = draw(state, m.n);
        changes[draw(state, sizeof changes / sizeof changes[0])](state, &m, at, 1 + draw(state, m.n - at));
    }
    return m;
}

#endif
