/* Letters that all ranks of a group send each other at once, over and over. Part of comm.
 *
 * What crosses from one core to another in a step goes this way and no other: each rank writes its letter into an
 * outbox of its own, and the others read it there in order, or get it by MPI where they share no memory. There are two
 * outboxes in turn, so a rank waits for the others only where it reads what they sent. */
#ifndef KTRAIN_COMM_MAIL_H
#define KTRAIN_COMM_MAIL_H

#include <stdint.h>

#include "edge/comm.h"

typedef struct kt_mail kt_mail;

/* Shared memory for the letters of n_ranks, of at most letter_bytes each; SIZE_MAX when it is more than can be
 * addressed. Local and pure. */
size_t kt_mail_bytes(size_t n_ranks, size_t letter_bytes);

/* memory: kt_mail_bytes, zeroed, 128-byte aligned, shared by all ranks of comm and borrowed, as is comm; NULL: letters
 * go by MPI. *out is NULL on failure: KT_NO_MEMORY; KT_CONFIG when MPI cannot count so many bytes. Collective. */
kt_status kt_mail_create(kt_comm *comm, void *memory, size_t letter_bytes, kt_mail **out);
void kt_mail_free(kt_mail *mail); /* NULL is allowed. Local. */

/* Room for this rank's next letter. May wait for ranks that still read the last but one. Local otherwise. */
void *kt_mail_outbox(kt_mail *mail);

/* Sends it: to all ranks, size[r] bytes being rank r's. Collective. */
void kt_mail_send(kt_mail *mail, const size_t *size);

/* Or: rank r's letter is of parts[r] parts of part_bytes each, of which the bytes [bound[q], bound[q + 1]) are for rank
 * q. Collective. */
void kt_mail_send_parts(kt_mail *mail, size_t part_bytes, const size_t *parts, const size_t *bound);

/* The last letter of rank `from`, as it lay in its outbox; of its parts only what is for this rank. Waits for it. Valid
 * until this rank sends its next. Local. */
const void *kt_mail_inbox(kt_mail *mail, int from);

/* Words that travel with the letters that are for all: once a rank has raised one, every rank finds it raised after the
 * same letter, and from then on. _raised: a bit for each word. Local. */
enum { KT_MAIL_WORDS = 5 };
void kt_mail_raise(kt_mail *mail, unsigned word);
/* By each rank after the same letter, when it has found the word raised; it may be raised again then. */
void kt_mail_lower(kt_mail *mail, unsigned word);
unsigned kt_mail_raised(kt_mail *mail);

/* Letters for all that were sent so far. Local. */
uint64_t kt_mail_count(const kt_mail *mail);

#endif
