/* The same shapes in PyTorch and JAX: a python for each mode and number of threads measures a shape whenever it is told
 * to, so that all sides take turns. tools/peers_step.py is what it runs. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "kbench.h"
#include "peers_step.h"

static const struct {
    const char *name, *library;
} modes[] = {{"eager", "PyTorch"}, {"compile", "PyTorch"}, {"jit", "JAX"}, {"scan", "JAX"}};
enum { N_MODES = sizeof modes / sizeof modes[0], MOST_MINUTES = 15 };

/* L2 is told as what is added to the gradient, as ours comes to by default: l2 / batch times the weight. */
static kt_status describe(const kt_bench_shape *s, char **text)
{
    kt_text_buffer buffer = {0};
    kt_text_append(&buffer, "%zu", s->n_in);
    for (size_t i = 0; i < s->hidden.n; i++)
        kt_text_append(&buffer, ",%lld", (long long)s->hidden.values[i]);
    kt_text_append(&buffer, ",%zu %zu %zu %g %g %g %s %g", s->n_classes, kt_bench_shape_batch(s),
                   kt_bench_shape_samples(s), s->dropout, s->l2 / (double)kt_bench_shape_batch(s), s->rate,
                   s->optimizer, s->density);
    return kt_text_take(&buffer, text);
}

/* ---- a peer and its pipes ---- */

/* Starts argv with its standard input and output on pipes, whose other ends no other child gets: the end of its input
 * shall end it. */
static kt_status spawn(char **argv, kt_bench_peer *out)
{
    int in[2], from[2];
    posix_spawn_file_actions_t actions;
    if (pipe2(in, O_CLOEXEC) != 0)
        return kt_fail(KT_INTERNAL, "no pipe to %s: %s", argv[0], strerror(errno));
    if (pipe2(from, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return kt_fail(KT_INTERNAL, "no pipe from %s: %s", argv[0], strerror(errno));
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
    const int error = posix_spawnp(&out->pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(from[1]);
    out->to = fdopen(in[1], "w");
    out->from = fdopen(from[0], "r");
    if (error != 0)
        out->pid = 0;
    return error == 0 ? KT_OK : kt_fail(KT_NO_INPUT, "%s cannot be started: %s", argv[0], strerror(error));
}

/* One that has stopped answering is ended. */
static void stop(kt_bench_peer *peer)
{
    if (peer->to != NULL)
        fclose(peer->to); /* the end of its input ends it */
    if (peer->from != NULL)
        fclose(peer->from);
    if (peer->pid > 0 && peer->hangs)
        kill(peer->pid, SIGKILL);
    if (peer->pid > 0)
        waitpid(peer->pid, NULL, 0);
    peer->to = peer->from = NULL;
    peer->pid = 0;
}

/* One line for people; the first reason is kept. */
static void complain(kt_bench_peer *peer, const char *shape, const char *reason)
{
    char name[KT_BENCH_PEER_BYTES];
    kt_bench_peer_name(peer, name);
    fprintf(stderr, "kbench: %s%s%s: not measured: %s\n", name, shape != NULL ? ", " : "", shape != NULL ? shape : "",
            reason);
    if (peer->failure[0] == '\0')
        snprintf(peer->failure, sizeof peer->failure, "%s", reason);
}

/* The answer that begins with `word` and a space, or is it; *rest is what follows. Else NULL; the peer may have
 * gone. */
static const char *read_answer(kt_bench_peer *peer, const char *shape, const char *word, char line[KT_BENCH_LINE_BYTES])
{
    struct pollfd ready = {.fd = fileno(peer->from), .events = POLLIN};
    int n;
    while ((n = poll(&ready, 1, MOST_MINUTES * 60 * 1000)) < 0 && errno == EINTR) {
    }
    peer->hangs = n == 0;
    if (n <= 0 || fgets(line, KT_BENCH_LINE_BYTES, peer->from) == NULL) {
        stop(peer);
        complain(peer, shape, n == 0 ? "it has stopped answering" : "it has ended");
        return NULL;
    }
    line[strcspn(line, "\n")] = '\0';
    const size_t length = strlen(word);
    if (strncmp(line, word, length) == 0 && (line[length] == ' ' || line[length] == '\0'))
        return line + length + (line[length] == ' ');
    complain(peer, shape, strncmp(line, "failed ", 7) == 0 ? line + 7 : "it answers with something else");
    return NULL;
}

/* Sends the request in `line`, which then holds the answer. */
static const char *ask(kt_bench_peer *peer, const char *shape, const char *word, char line[KT_BENCH_LINE_BYTES])
{
    if (peer->pid == 0)
        return NULL;
    fprintf(peer->to, "%s\n", line);
    fflush(peer->to);
    return read_answer(peer, shape, word, line);
}

/* ---- all of them ---- */

static kt_status start_one(const char *python, size_t n_shapes, char *const *shapes, kt_bench_peer *peer)
{
    char **argv, threads[16];
    KT_TRY(KT_NEW(argv, n_shapes + 6));
    snprintf(threads, sizeof threads, "%d", peer->threads);
    char *const head[] = {(char *)(size_t)python, (char *)(size_t) "-c", (char *)(size_t)kt_peers_step,
                          (char *)(size_t)peer->mode, threads};
    memcpy(argv, head, sizeof head);
    memcpy(argv + 5, shapes, n_shapes * sizeof *shapes);
    const kt_status status = spawn(argv, peer);
    kt_memory_free(argv);
    if (status != KT_OK)
        stop(peer);
    return status;
}

/* All at once, since loading takes seconds. */
static kt_status start_all(const char *python, size_t n_shapes, char *const *shapes, kt_bench_peers *peers)
{
    char line[KT_BENCH_LINE_BYTES];
    size_t n_ready = 0;
    for (size_t i = 0; i < peers->n; i++)
        KT_TRY(start_one(python, n_shapes, shapes, &peers->peers[i]));
    for (size_t i = 0; i < peers->n; i++) {
        kt_bench_peer *peer = &peers->peers[i];
        const char *version = read_answer(peer, NULL, "ready", line);
        if (version != NULL)
            snprintf(peer->version, sizeof peer->version, "%s", version);
        else
            stop(peer);
        n_ready += version != NULL;
    }
    return n_ready > 0 ? KT_OK : kt_fail(KT_NO_INPUT, "%s has neither PyTorch nor JAX", python);
}

static kt_status allocate(const kt_bench_settings *s, size_t n_shapes, kt_bench_peers *peers)
{
    peers->n_repetitions = (size_t)s->repetitions;
    KT_TRY(KT_NEW(peers->peers, N_MODES * s->peer_threads.n));
    for (size_t m = 0; m < N_MODES; m++)
        for (size_t t = 0; t < s->peer_threads.n; t++) {
            kt_bench_peer *peer = &peers->peers[peers->n++];
            *peer = (kt_bench_peer){.mode = modes[m].name, .threads = (int)s->peer_threads.values[t]};
            snprintf(peer->version, sizeof peer->version, "%s", modes[m].library);
            KT_TRY(KT_NEW(peer->is_ready, n_shapes));
            KT_TRY(KT_NEW(peer->seconds, n_shapes * peers->n_repetitions));
            for (size_t i = 0; i < n_shapes * peers->n_repetitions; i++)
                peer->seconds[i] = NAN;
        }
    return KT_OK;
}

/* Compiles every shape and warms it up. */
static void prepare(size_t n_shapes, const kt_bench_shape *shapes, kt_bench_peers *peers)
{
    char line[KT_BENCH_LINE_BYTES];
    for (size_t k = 0; k < n_shapes; k++)
        for (size_t i = 0; i < peers->n; i++) {
            snprintf(line, sizeof line, "start %zu", k);
            peers->peers[i].is_ready[k] = ask(&peers->peers[i], shapes[k].name, "ok", line) != NULL;
        }
}

kt_status kt_bench_peers_start(const kt_bench_settings *s, size_t n_shapes, const kt_bench_shape *shapes,
                               kt_bench_peers *out)
{
    char **texts, *python;
    kt_text_buffer buffer = {0};
    *out = (kt_bench_peers){0};
    kt_text_append(&buffer, "%s/bin/python", s->peers);
    KT_TRY(kt_text_take(&buffer, &python));
    kt_status status = KT_NEW(texts, n_shapes);
    for (size_t k = 0; k < n_shapes && status == KT_OK; k++)
        status = describe(&shapes[k], &texts[k]);
    signal(SIGPIPE, SIG_IGN); /* one that has ended is a line to print */
    if (status == KT_OK)
        status = allocate(s, n_shapes, out);
    if (status == KT_OK)
        status = start_all(python, n_shapes, texts, out);
    if (status == KT_NO_INPUT)
        kt_fail_advice(status, "; tools/peers.sh DIR makes a folder for --peers");
    for (size_t k = 0; k < n_shapes && texts != NULL; k++)
        kt_memory_free(texts[k]);
    kt_memory_free(texts);
    kt_memory_free(python);
    if (status == KT_OK)
        prepare(n_shapes, shapes, out);
    else
        kt_bench_peers_stop(out);
    return status;
}

void kt_bench_peers_stop(kt_bench_peers *peers)
{
    for (size_t i = 0; i < peers->n; i++) {
        stop(&peers->peers[i]);
        kt_memory_free(peers->peers[i].is_ready);
        kt_memory_free(peers->peers[i].seconds);
    }
    kt_memory_free(peers->peers);
    *peers = (kt_bench_peers){0};
}

void kt_bench_peers_measure(kt_bench_peers *peers, const kt_bench_shape *shape, size_t which, size_t repetition,
                            double seconds)
{
    char line[KT_BENCH_LINE_BYTES];
    for (size_t i = 0; i < peers->n; i++) {
        kt_bench_peer *peer = &peers->peers[i];
        if (!peer->is_ready[which])
            continue;
        snprintf(line, sizeof line, "measure %zu %g", which, seconds);
        const char *text = ask(peer, shape->name, "step", line);
        const double step = text != NULL ? strtod(text, NULL) : 0;
        if (step > 0)
            peer->seconds[which * peers->n_repetitions + repetition] = step;
        peer->is_ready[which] = step > 0;
    }
}

void kt_bench_peer_name(const kt_bench_peer *peer, char name[KT_BENCH_PEER_BYTES])
{
    snprintf(name, KT_BENCH_PEER_BYTES, "%s %s, %d thread%s", peer->version, peer->mode, peer->threads,
             peer->threads == 1 ? "" : "s");
}
