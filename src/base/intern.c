/* The set of values that stay: a table that only grows. */
#include "base/intern.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

typedef struct entry {
    struct entry *next;
    uint64_t hash;
    size_t n_bytes;
    _Alignas(16) unsigned char bytes[];
} entry;

/* One set per process, chained; as many chains as entries, or more. */
static struct {
    entry **chains; /* [n_chains], a power of two */
    size_t n_chains, n;
} set;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void put(entry **chains, size_t n_chains, entry *e)
{
    entry **chain = &chains[e->hash & (n_chains - 1)];
    e->next = *chain;
    *chain = e;
}

static kt_status grow(void)
{
    const size_t n_chains = set.n_chains == 0 ? 256 : 2 * set.n_chains;
    entry **chains;
    KT_TRY(KT_NEW(chains, n_chains));
    for (size_t c = 0; c < set.n_chains; c++)
        for (entry *e = set.chains[c], *next; e != NULL; e = next) {
            next = e->next;
            put(chains, n_chains, e);
        }
    kt_memory_free(set.chains);
    set.chains = chains;
    set.n_chains = n_chains;
    return KT_OK;
}

static const void *find_or_add(const void *bytes, size_t n_bytes, uint64_t hash)
{
    if (set.n >= set.n_chains && grow() != KT_OK)
        return NULL;
    for (const entry *e = set.chains[hash & (set.n_chains - 1)]; e != NULL; e = e->next)
        if (e->hash == hash && e->n_bytes == n_bytes && memcmp(e->bytes, bytes, n_bytes) == 0)
            return e->bytes;
    entry *e = kt_memory_new(1, sizeof *e + n_bytes);
    if (e == NULL)
        return NULL;
    e->hash = hash;
    e->n_bytes = n_bytes;
    memcpy(e->bytes, bytes, n_bytes);
    put(set.chains, set.n_chains, e);
    set.n++;
    return e->bytes;
}

const void *kt_intern(const void *bytes, size_t n_bytes)
{
    const uint64_t hash = kt_hash_bytes(KT_HASH_START, bytes, n_bytes);
    pthread_mutex_lock(&lock);
    const void *kept = find_or_add(bytes, n_bytes, hash);
    pthread_mutex_unlock(&lock);
    return kept;
}

const char *kt_intern_text(const char *text)
{
    return kt_intern(text, strlen(text) + 1);
}
