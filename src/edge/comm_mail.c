/* Letters in shared memory, or by MPI. */
#include "edge/comm_mail.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "edge/comm_private.h"

/* Twice a line: the processor fetches lines in pairs. */
enum { APART = 128, SPINS = 3000, N_RAISED = 2 * KT_MAIL_WORDS };

/* Before a rank's two outboxes; written by it alone. */
typedef struct box {
    _Alignas(APART) atomic_uint round; /* of its last letter */
    /* The letters with which a word was raised last, and before that; 0: not yet. The one before stays for ranks that
     * have not read it: nobody raises a word three times before all have heard the first. */
    _Atomic uint64_t raised[N_RAISED];
} box;

/* By MPI a rank's box is in its own memory, and copies of the others' beside it. */
struct kt_mail {
    kt_comm *comm; /* borrowed */
    size_t letter_bytes;
    unsigned round;
    uint64_t n_for_all;
    uint64_t lowered[KT_MAIL_WORDS]; /* after so many letters: what was raised with one of these is heard no more */
    unsigned spins;
    char *memory;                                     /* of all boxes */
    char *own_memory;                                 /* the same, when letters go by MPI */
    uint64_t *words;                                  /* by MPI: [size x N_RAISED] */
    int *counts, *starts, *from_counts, *from_starts; /* by MPI: [size] */
};

/* ---- making it ---- */

static size_t box_bytes(size_t letter_bytes)
{
    return sizeof(box) + 2 * ((letter_bytes + APART - 1) / APART * APART);
}

size_t kt_mail_bytes(size_t n_ranks, size_t letter_bytes)
{
    if (letter_bytes > SIZE_MAX / 4 / n_ranks) /* more than can be addressed */
        return SIZE_MAX;
    return n_ranks * box_bytes(letter_bytes);
}

static kt_status prepare_mpi(kt_mail *mail)
{
    const size_t n = (size_t)mail->comm->size, n_bytes = kt_mail_bytes(n, mail->letter_bytes);
    if (n_bytes > INT_MAX)
        return kt_fail(KT_CONFIG,
                       "letters of %zu bytes between %zu ranks on several hosts are more than MPI can count: a smaller "
                       "train.batch_size or parallel.ranks_per_replica = node does without",
                       mail->letter_bytes, n);
    mail->own_memory = kt_memory_new_huge(n_bytes);
    if (mail->own_memory == NULL)
        return KT_NO_MEMORY;
    mail->memory = mail->own_memory;
    KT_TRY(KT_NEW(mail->words, n * N_RAISED));
    KT_TRY(KT_NEW(mail->counts, 4 * n));
    mail->starts = mail->counts + n;
    mail->from_counts = mail->counts + 2 * n;
    mail->from_starts = mail->counts + 3 * n;
    return KT_OK;
}

kt_status kt_mail_create(kt_comm *comm, void *memory, size_t letter_bytes, kt_mail **out)
{
    kt_mail *mail;
    *out = NULL;
    kt_status status = KT_NEW(mail, 1);
    if (status == KT_OK) {
        mail->comm = comm;
        mail->letter_bytes = letter_bytes;
        mail->spins = comm->crowded ? 0 : SPINS;
        mail->memory = memory;
        if (memory == NULL)
            status = prepare_mpi(mail);
    }
    status = kt_comm_agree(comm, status);
    if (status == KT_OK)
        *out = mail;
    else
        kt_mail_free(mail);
    return status;
}

void kt_mail_free(kt_mail *mail)
{
    if (mail == NULL)
        return;
    kt_memory_free_huge(mail->own_memory, kt_mail_bytes((size_t)mail->comm->size, mail->letter_bytes));
    kt_memory_free(mail->words);
    kt_memory_free(mail->counts);
    kt_memory_free(mail);
}

/* ---- use ---- */

static box *box_of(const kt_mail *mail, int rank)
{
    return (box *)(void *)(mail->memory + (size_t)rank * box_bytes(mail->letter_bytes));
}

static char *letter_of(const kt_mail *mail, int rank, unsigned round)
{
    return (char *)(box_of(mail, rank) + 1) + (round & 1) * ((mail->letter_bytes + APART - 1) / APART * APART);
}

/* Until rank `from` has sent its letter number `round`. */
static void wait_for(const kt_mail *mail, int from, unsigned round)
{
    const box *its = box_of(mail, from);
    if (mail->own_memory != NULL)
        return;
    for (unsigned i = 0; (int)(atomic_load_explicit(&its->round, memory_order_acquire) - round) < 0; i++) {
        if (i < mail->spins)
            kt_comm_breathe();
        else
            sched_yield();
        if (i == mail->spins)
            kt_activity_wait("the letters of a step", from);
    }
    kt_activity_go_on();
}

/* Who has sent its last letter has read all the letters before. */
void *kt_mail_outbox(kt_mail *mail)
{
    for (int r = 0; r < mail->comm->size; r++)
        wait_for(mail, r, mail->round);
    return letter_of(mail, mail->comm->rank, mail->round + 1);
}

static int as_count(size_t n)
{
    return (int)n; /* within the memory of all boxes */
}

/* The words, then the letters. */
static void send_by_mpi(kt_mail *mail, const size_t *size)
{
    uint64_t own[N_RAISED];
    for (size_t w = 0; w < N_RAISED; w++)
        own[w] = atomic_load_explicit(&box_of(mail, mail->comm->rank)->raised[w], memory_order_relaxed);
    KT_WAIT("letters between hosts",
            MPI_Allgather(own, N_RAISED, MPI_UINT64_T, mail->words, N_RAISED, MPI_UINT64_T, mail->comm->mpi));
    for (int r = 0; r < mail->comm->size; r++) {
        for (size_t w = 0; w < N_RAISED; w++)
            atomic_store_explicit(&box_of(mail, r)->raised[w], mail->words[(size_t)r * N_RAISED + w],
                                  memory_order_relaxed);
        mail->counts[r] = as_count(size[r]);
        mail->starts[r] = as_count((size_t)(letter_of(mail, r, mail->round) - mail->memory));
    }
    KT_WAIT("letters between hosts", MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, mail->memory, mail->counts,
                                                    mail->starts, MPI_BYTE, mail->comm->mpi));
}

void kt_mail_send(kt_mail *mail, const size_t *size)
{
    mail->round++;
    mail->n_for_all++;
    if (mail->own_memory != NULL)
        send_by_mpi(mail, size);
    else
        atomic_store_explicit(&box_of(mail, mail->comm->rank)->round, mail->round, memory_order_release);
}

/* Part k of those who have so many. */
static void send_part_by_mpi(kt_mail *mail, size_t k, size_t part_bytes, const size_t *parts, const size_t *bound)
{
    const int me = mail->comm->rank;
    for (int r = 0; r < mail->comm->size; r++) {
        mail->counts[r] = k < parts[me] && r != me ? as_count(bound[r + 1] - bound[r]) : 0;
        mail->starts[r] =
            as_count((size_t)(letter_of(mail, me, mail->round) - mail->memory) + k * part_bytes + bound[r]);
        mail->from_counts[r] = k < parts[r] && r != me ? as_count(bound[me + 1] - bound[me]) : 0;
        mail->from_starts[r] =
            as_count((size_t)(letter_of(mail, r, mail->round) - mail->memory) + k * part_bytes + bound[me]);
    }
    KT_WAIT("letters between hosts", MPI_Alltoallv(mail->memory, mail->counts, mail->starts, MPI_BYTE, mail->memory,
                                                   mail->from_counts, mail->from_starts, MPI_BYTE, mail->comm->mpi));
}

void kt_mail_send_parts(kt_mail *mail, size_t part_bytes, const size_t *parts, const size_t *bound)
{
    size_t most = 0;
    mail->round++;
    for (int r = 0; r < mail->comm->size; r++)
        most = kt_larger(most, parts[r]);
    for (size_t k = 0; k < most && mail->own_memory != NULL; k++)
        send_part_by_mpi(mail, k, part_bytes, parts, bound);
    if (mail->own_memory == NULL)
        atomic_store_explicit(&box_of(mail, mail->comm->rank)->round, mail->round, memory_order_release);
}

const void *kt_mail_inbox(kt_mail *mail, int from)
{
    wait_for(mail, from, mail->round);
    return letter_of(mail, from, mail->round);
}

static uint64_t letter_with(const kt_mail *mail, int rank, unsigned word, unsigned time)
{
    return atomic_load_explicit(&box_of(mail, rank)->raised[2 * word + time], memory_order_relaxed);
}

void kt_mail_raise(kt_mail *mail, unsigned word)
{
    const int me = mail->comm->rank;
    const uint64_t first = letter_with(mail, me, word, 0), second = letter_with(mail, me, word, 1);
    if (first <= mail->lowered[word] && second <= mail->lowered[word])
        atomic_store_explicit(&box_of(mail, me)->raised[2 * word + (first > second)], mail->n_for_all + 1,
                              memory_order_relaxed);
}

/* The boxes stay as they are: a rank that is behind has yet to read them. */
void kt_mail_lower(kt_mail *mail, unsigned word)
{
    mail->lowered[word] = mail->n_for_all;
}

/* What is raised with a later letter, by a rank that is ahead, does not count yet. */
unsigned kt_mail_raised(kt_mail *mail)
{
    unsigned words = 0;
    for (int r = 0; r < mail->comm->size; r++) {
        wait_for(mail, r, mail->round);
        for (unsigned w = 0; w < N_RAISED; w++) {
            const uint64_t with = letter_with(mail, r, w / 2, w % 2);
            words |= (unsigned)(with > mail->lowered[w / 2] && with <= mail->n_for_all) << w / 2;
        }
    }
    return words;
}

uint64_t kt_mail_count(const kt_mail *mail)
{
    return mail->n_for_all;
}
