/* Letters between the ranks of a group: by shared memory and by MPI the same, whoever is ahead. */
#include <limits.h>
#include <sched.h>
#include <string.h>

#include "base/memory.h"
#include "base/share.h"
#include "edge/comm_mail.h"
#include "edge/comm_pool.h"
#include "test.h"

const char *const kt_test_suite = "comm_mail";

enum { LETTER_BYTES = 700, MOST_PARTS = 3, MOST_RANKS = 8, BY_MEMORY = 0, BY_MPI = 1 };

static size_t rank(void)
{
    return (size_t)kt_comm_rank(kt_test_world);
}

static size_t size(void)
{
    return (size_t)kt_comm_size(kt_test_world);
}

static uint32_t draw(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)*state * n >> 32);
}

/* Now and then others come first, differently on each rank. */
static void dawdle(void)
{
    static uint32_t state;
    state += (uint32_t)rank() + 1;
    for (uint32_t n = draw(&state, 8) == 0 ? draw(&state, 20) : 0; n > 0; n--)
        sched_yield();
}

/* A pair of mails for the same letters, and what lies between sending them. */
typedef struct bench {
    kt_pool *pool;
    kt_mail *mail[2];
} bench;

static void open_mail(bench *b, size_t letter_bytes)
{
    KT_CHECK_STATUS(KT_OK, kt_pool_create(kt_test_world, kt_mail_bytes(size(), letter_bytes), &b->pool));
    KT_CHECK_STATUS(KT_OK, kt_mail_create(kt_test_world, kt_pool_memory(b->pool), letter_bytes, &b->mail[BY_MEMORY]));
    KT_CHECK_STATUS(KT_OK, kt_mail_create(kt_test_world, NULL, letter_bytes, &b->mail[BY_MPI]));
}

/* The pool goes when nobody reads in it any more. */
static void close_mail(bench *b)
{
    kt_comm_barrier(kt_test_world);
    kt_mail_free(b->mail[BY_MEMORY]);
    kt_mail_free(b->mail[BY_MPI]);
    kt_pool_free(b->pool);
}

/* How the letters of a round are cut; the same on all ranks. */
typedef struct cut {
    bool for_all;
    size_t size[MOST_RANKS], parts[MOST_RANKS], part_bytes, bound[MOST_RANKS + 1];
} cut;

static cut draw_cut(uint32_t *state)
{
    cut c = {.for_all = draw(state, 2) == 0, .part_bytes = draw(state, LETTER_BYTES / MOST_PARTS + 1)};
    for (size_t r = 0; r < size(); r++) {
        c.size[r] = draw(state, 3) == 0 ? 0 : draw(state, LETTER_BYTES + 1);
        c.parts[r] = draw(state, MOST_PARTS + 1);
        c.bound[r + 1] = c.bound[r] + draw(state, (uint32_t)(c.part_bytes - c.bound[r]) + 1);
    }
    return c;
}

static unsigned char byte_of(size_t from, uint32_t round, size_t i)
{
    uint32_t state = (uint32_t)(from * 7919 + round * 104729 + i * 31);
    return (unsigned char)draw(&state, 256);
}

static void write_letter(kt_mail *mail, uint32_t round)
{
    unsigned char *out = kt_mail_outbox(mail);
    for (size_t i = 0; i < LETTER_BYTES; i++)
        out[i] = byte_of(rank(), round, i);
}

static void send(kt_mail *mail, const cut *c)
{
    if (c->for_all)
        kt_mail_send(mail, c->size);
    else
        kt_mail_send_parts(mail, c->part_bytes, c->parts, c->bound);
}

static size_t count_wrong(const unsigned char *letter, size_t from, uint32_t round, kt_range bytes)
{
    size_t n_wrong = 0;
    for (size_t i = bytes.begin; i < bytes.end; i++)
        n_wrong += letter[i] != byte_of(from, round, i);
    return n_wrong;
}

/* Of what is for this rank. */
static size_t read_letter(kt_mail *mail, const cut *c, size_t from, uint32_t round)
{
    const unsigned char *letter = kt_mail_inbox(mail, (int)from);
    size_t n_wrong = 0;
    if (c->for_all)
        return count_wrong(letter, from, round, (kt_range){0, c->size[from]});
    for (size_t k = 0; k < c->parts[from]; k++)
        n_wrong +=
            count_wrong(letter, from, round,
                        (kt_range){k * c->part_bytes + c->bound[rank()], k * c->part_bytes + c->bound[rank() + 1]});
    return n_wrong;
}

/* From some rank on, round and round; perhaps not all. */
static size_t read_letters(kt_mail *mail, const cut *c, uint32_t round, size_t n)
{
    static uint32_t state;
    const size_t first = draw(&state, (uint32_t)size());
    size_t n_wrong = 0;
    for (size_t k = 0; k < n; k++) {
        dawdle();
        n_wrong += read_letter(mail, c, (first + k) % size(), round);
    }
    return n_wrong;
}

/* Letters stay readable until the reader sends its next, also when that is already written. */
static size_t exchange(kt_mail *mail, uint32_t n_rounds)
{
    uint32_t state = 1;
    size_t n_wrong = 0;
    cut last = {0};
    for (uint32_t round = 1; round <= n_rounds; round++) {
        const cut c = draw_cut(&state);
        dawdle();
        write_letter(mail, round);
        if (round > 1)
            n_wrong += read_letters(mail, &last, round - 1, size() - 1);
        dawdle();
        send(mail, &c);
        n_wrong += read_letters(mail, &c, round, round % 3 == 0 ? 0 : size());
        last = c;
    }
    return n_wrong;
}

static void letters_arrive(void)
{
    bench b;
    open_mail(&b, LETTER_BYTES);
    KT_CHECK(exchange(b.mail[BY_MEMORY], 5000) == 0);
    KT_CHECK(exchange(b.mail[BY_MPI], 2000) == 0);
    close_mail(&b);
}

/* Rounds of both at once, so that a letter by one waits for one by the other. */
static void both_are_the_same(void)
{
    uint32_t state = 5;
    size_t n_other = 0;
    bench b;
    open_mail(&b, LETTER_BYTES);
    for (uint32_t round = 1; round <= 1000; round++) {
        cut c = draw_cut(&state);
        for (size_t k = 0; k < 2; k++) {
            write_letter(b.mail[k], round);
            dawdle();
            send(b.mail[k], &c);
        }
        for (size_t r = 0; r < size() && c.for_all; r++)
            n_other += memcmp(kt_mail_inbox(b.mail[0], (int)r), kt_mail_inbox(b.mail[1], (int)r), c.size[r]) != 0;
        for (size_t k = 0; k < 2 && !c.for_all; k++)
            n_other += read_letters(b.mail[k], &c, round, size());
        KT_CHECK(kt_mail_count(b.mail[0]) == kt_mail_count(b.mail[1]));
    }
    KT_CHECK(n_other == 0);
    close_mail(&b);
}

/* The longest letters fill a box, and touch no other; a letter of nothing is one, too. */
static void boxes_are_apart(void)
{
    static const size_t bytes[] = {0, 1, 127, 128, 129, 4096};
    for (size_t k = 0; k < sizeof bytes / sizeof bytes[0]; k++) {
        size_t n_wrong = 0, sizes[MOST_RANKS];
        bench b;
        open_mail(&b, bytes[k]);
        for (size_t r = 0; r < size(); r++)
            sizes[r] = bytes[k];
        for (size_t how = 0; how < 2; how++)
            for (int round = 0; round < 20; round++) {
                memset(kt_mail_outbox(b.mail[how]), round + (int)rank(), bytes[k]);
                kt_mail_send(b.mail[how], sizes);
                for (size_t r = 0; r < size(); r++)
                    for (size_t i = 0; i < bytes[k]; i++)
                        n_wrong += ((const char *)kt_mail_inbox(b.mail[how], (int)r))[i] != (char)(round + (int)r);
            }
        KT_CHECK(n_wrong == 0 && kt_mail_bytes(size(), bytes[k]) >= 2 * size() * bytes[k]);
        close_mail(&b);
    }
}

/* ---- words ---- */

enum { N_LETTERS = 24, AFTER_OUTBOX, AFTER_SEND, AFTER_LETTER, N_MOMENTS };

/* When a rank raises a word: at this moment of which of its letters; 0: never. */
typedef struct plan {
    unsigned letter;
    int moment;
} plan;

static void raise_at(kt_mail *mail, const plan *plans, unsigned letter, int moment)
{
    for (unsigned w = 0; w < KT_MAIL_WORDS; w++)
        if (plans[w].letter == letter && plans[w].moment == moment)
            kt_mail_raise(mail, w);
}

/* found[w]: the number of the letter for all after which this rank finds word w raised; 0: never. Once raised it
 * stays. */
static bool find_raised(kt_mail *mail, const plan *plans, uint32_t *state, unsigned *found)
{
    bool stays = true;
    for (unsigned letter = 1; letter <= N_LETTERS; letter++) {
        cut c = draw_cut(state);
        c.for_all = letter % 3 != 0; /* letters of parts bring no word */
        write_letter(mail, letter);
        dawdle();
        raise_at(mail, plans, letter, AFTER_OUTBOX);
        send(mail, &c);
        raise_at(mail, plans, letter, AFTER_SEND);
        dawdle();
        const unsigned raised = kt_mail_raised(mail);
        raise_at(mail, plans, letter, AFTER_LETTER);
        for (unsigned w = 0; w < KT_MAIL_WORDS; w++) {
            const bool is_raised = raised >> w & 1;
            stays &= is_raised || found[w] == 0;
            found[w] = is_raised && found[w] == 0 ? (unsigned)kt_mail_count(mail) : found[w];
        }
    }
    return stays;
}

/* Letters for all until the end of letter number `letter`. */
static unsigned count_for_all(unsigned letter)
{
    return letter - letter / 3;
}

/* A word comes with the next letter for all that is not yet sent. */
static unsigned expected(plan plans[][KT_MAIL_WORDS], unsigned word)
{
    unsigned first = UINT_MAX;
    for (size_t r = 0; r < size(); r++)
        if (plans[r][word].letter > 0) {
            const unsigned sent = count_for_all(plans[r][word].letter - (plans[r][word].moment == AFTER_OUTBOX));
            first = sent + 1 < first ? sent + 1 : first;
        }
    return first > count_for_all(N_LETTERS) ? 0 : first;
}

static void words_are_found_by_all(void)
{
    enum { N_TIMES = 150 };
    uint32_t state = 9;
    size_t n_wrong = 0;
    for (int time = 0; time < N_TIMES; time++) {
        plan plans[MOST_RANKS][KT_MAIL_WORDS];
        bench b;
        for (size_t i = 0; i < size() * KT_MAIL_WORDS; i++)
            plans[i / KT_MAIL_WORDS][i % KT_MAIL_WORDS] =
                (plan){draw(&state, 2) == 0 ? 0 : draw(&state, N_LETTERS + 1),
                       AFTER_OUTBOX + (int)draw(&state, N_MOMENTS - AFTER_OUTBOX)};
        open_mail(&b, LETTER_BYTES);
        for (size_t k = 0; k < 2; k++) {
            unsigned found[KT_MAIL_WORDS] = {0};
            n_wrong += !find_raised(b.mail[k], plans[rank()], &state, found);
            for (unsigned w = 0; w < KT_MAIL_WORDS; w++)
                n_wrong += found[w] != expected(plans, w);
        }
        close_mail(&b);
    }
    KT_CHECK(n_wrong == 0);
}

/* A letter of nothing, and the words that are raised after it. */
static unsigned next_words(kt_mail *mail)
{
    static const size_t nothing[MOST_RANKS];
    dawdle();
    kt_mail_outbox(mail);
    kt_mail_send(mail, nothing);
    dawdle();
    return kt_mail_raised(mail);
}

/* No letter comes between, and one rank after the other lowers it: none finds it again. */
static void lowered_words_do_not_come_back(void)
{
    size_t n_wrong = 0;
    bench b;
    open_mail(&b, 0);
    for (size_t k = 0; k < 2; k++)
        for (size_t round = 0; round < 20; round++) {
            if (rank() == round % size())
                kt_mail_raise(b.mail[k], 0);
            n_wrong += next_words(b.mail[k]) != 1;
            for (size_t r = size(); r-- > 0;) {
                kt_comm_barrier(kt_test_world);
                if (r == rank())
                    kt_mail_lower(b.mail[k], 0);
                n_wrong += r <= rank() && kt_mail_raised(b.mail[k]) != 0;
            }
        }
    KT_CHECK(n_wrong == 0);
    close_mail(&b);
}

/* One word is raised, found and lowered again and again, the other stays. */
static void words_are_lowered(void)
{
    size_t n_wrong = 0;
    bench b;
    open_mail(&b, 0);
    for (size_t k = 0; k < 2; k++)
        for (size_t round = 0; round < 300; round++) {
            const unsigned stays = round > 100 ? 2 : 0;
            if (rank() == round % size() || round % 7 == 0)
                kt_mail_raise(b.mail[k], 0);
            if (rank() == size() - 1 && round > 100)
                kt_mail_raise(b.mail[k], 1);
            for (size_t n = 0; n < 1 + round % 3; n++)
                n_wrong += next_words(b.mail[k]) != (1 | stays);
            kt_comm_barrier(kt_test_world);
            kt_mail_lower(b.mail[k], 0);
            for (size_t n = 0; n < round % 3; n++)
                n_wrong += next_words(b.mail[k]) != stays;
            if (round % 3 == 0)
                kt_comm_barrier(kt_test_world); /* lowered everywhere before it is raised again */
        }
    KT_CHECK(n_wrong == 0);
    close_mail(&b);
}

static void what_does_not_fit_is_refused(void)
{
    static const size_t bytes[] = {(size_t)1 << 50, INT_MAX, SIZE_MAX / 2, SIZE_MAX};
    for (size_t k = 0; k < sizeof bytes / sizeof bytes[0]; k++) {
        kt_mail *mail = (kt_mail *)(void *)kt_test_suite;
        const kt_status status = kt_mail_create(kt_test_world, NULL, bytes[k], &mail);
        KT_CHECK(status == KT_CONFIG || status == KT_NO_MEMORY);
        KT_CHECK(mail == NULL && kt_error_message()[0] != '\0');
    }
    kt_mail_free(NULL);
}

const kt_test kt_tests[] = {
    {"letters arrive whole, for thousands of rounds, whoever is ahead", letters_arrive},
    {"letters by shared memory and by MPI are the same", both_are_the_same},
    {"the longest letters touch no other", boxes_are_apart},
    {"a raised word is found by all after the same letter", words_are_found_by_all},
    {"a word that is lowered by all can be raised again", words_are_lowered},
    {"a word that was lowered does not come back", lowered_words_do_not_come_back},
    {"what does not fit is refused on all ranks", what_does_not_fit_is_refused},
    {NULL, NULL},
};
