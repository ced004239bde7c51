/* The same shapes in PyTorch: a python of its own measures a shape whenever it is told to, so that both sides take
 * turns. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "kbench.h"

/* Plain PyTorch, as one writes it. Arguments: threads, then a shape each as "784,128,49 batch samples dropout l2 rate
 * optimizer". */
static const char script[] =
    "import os, sys, time\n"
    "threads = int(sys.argv[1])\n"
    "try:\n"
    "    os.sched_setaffinity(0, range(os.cpu_count()))  # mpirun may have bound rank 0, and us with it, to one core\n"
    "except OSError:\n"
    "    pass\n"
    "os.environ['OPENBLAS_NUM_THREADS'] = os.environ['OMP_NUM_THREADS'] = str(threads)  # BLAS has its own\n"
    "import torch\n"
    "from torch import nn\n"
    "torch.set_num_threads(threads)\n"
    "\n"
    "class Case:\n"
    "    def __init__(self, text):\n"
    "        widths, batch, n, dropout, l2, rate, optimizer = text.split()\n"
    "        widths = [int(w) for w in widths.split(',')]\n"
    "        self.batch, self.n = int(batch), int(n)\n"
    "        torch.manual_seed(1)\n"
    "        self.x = torch.rand(self.n, widths[0])\n"
    "        self.x = torch.where(self.x < 0.69, torch.zeros(()), self.x)\n"
    "        self.y = torch.arange(self.n) % widths[-1]\n"
    "        layers = []\n"
    "        for i in range(len(widths) - 2):\n"
    "            layers += [nn.Linear(widths[i], widths[i + 1]), nn.ReLU()]\n"
    "            if float(dropout) > 0:\n"
    "                layers.append(nn.Dropout(float(dropout)))\n"
    "        self.model = nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))\n"
    "        kinds = {'adam': torch.optim.Adam, 'sgd': torch.optim.SGD}\n"
    "        decay = float(l2) / self.batch\n"
    "        self.optimizer = kinds[optimizer](self.model.parameters(), lr=float(rate), weight_decay=decay)\n"
    "        self.loss = nn.CrossEntropyLoss()\n"
    "        self.at = self.n\n"
    "\n"
    "    def step(self):\n"
    "        x, y = self.x, self.y\n"
    "        if self.batch < self.n:\n"
    "            if self.at + self.batch > self.n:\n"
    "                self.order, self.at = torch.randperm(self.n), 0\n"
    "            rows = self.order[self.at:self.at + self.batch]\n"
    "            self.at += self.batch\n"
    "            x, y = x[rows], y[rows]\n"
    "        self.optimizer.zero_grad()\n"
    "        self.loss(self.model(x), y).backward()\n"
    "        self.optimizer.step()\n"
    "\n"
    "cases = [Case(text) for text in sys.argv[2:]]\n"
    "for case in cases:\n"
    "    case.step()\n"
    "    case.step()\n"
    "print(torch.__version__, flush=True)\n"
    "for line in sys.stdin:\n"
    "    which, seconds = line.split()\n"
    "    step, n, start = cases[int(which)].step, 0, time.perf_counter()\n"
    "    while n == 0 or time.perf_counter() - start < float(seconds):\n"
    "        step()\n"
    "        n += 1\n"
    "    print((time.perf_counter() - start) / n, flush=True)\n";

static kt_status describe(const kt_bench_shape *s, char **text)
{
    kt_text_buffer buffer = {0};
    kt_text_append(&buffer, "%zu", s->n_in);
    for (size_t i = 0; i < s->hidden.n; i++)
        kt_text_append(&buffer, ",%lld", (long long)s->hidden.values[i]);
    kt_text_append(&buffer, ",%zu %zu %zu %g %g %g %s", s->n_classes, kt_bench_shape_batch(s),
                   kt_bench_shape_samples(s), s->dropout, s->l2, s->rate, s->optimizer);
    return kt_text_take(&buffer, text);
}

/* Starts argv with its standard input and output on pipes, whose other ends no other child gets: the end of its input
 * shall end it. */
static kt_status spawn(char **argv, kt_bench_torch *out)
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
    int error = posix_spawnp(&out->pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(from[1]);
    out->to = fdopen(in[1], "w");
    out->from = fdopen(from[0], "r");
    if (error != 0)
        out->pid = 0;
    return error == 0 ? KT_OK : kt_fail(KT_NO_INPUT, "%s cannot be started: %s", argv[0], strerror(error));
}

static kt_status read_line(kt_bench_torch *torch, char *line, int size)
{
    if (torch->from == NULL || fgets(line, size, torch->from) == NULL)
        return KT_NO_INPUT;
    line[strcspn(line, "\n")] = '\0';
    return KT_OK;
}

kt_status kt_bench_torch_start(const char *python, int threads, size_t repetitions, size_t n_shapes,
                               const kt_bench_shape *shapes, kt_bench_torch *out)
{
    char **argv, number[16];
    *out = (kt_bench_torch){.threads = threads, .n_repetitions = repetitions};
    KT_TRY(KT_NEW(out->seconds, n_shapes * repetitions));
    KT_TRY(KT_NEW(argv, n_shapes + 5));
    snprintf(number, sizeof number, "%d", threads);
    char *const head[] = {(char *)(size_t)python, (char *)(size_t) "-c", (char *)(size_t)script, number};
    memcpy(argv, head, sizeof head);
    kt_status status = KT_OK;
    for (size_t i = 0; i < n_shapes && status == KT_OK; i++)
        status = describe(&shapes[i], &argv[4 + i]);
    signal(SIGPIPE, SIG_IGN); /* a python that has ended is an error to report */
    if (status == KT_OK)
        status = spawn(argv, out);
    if (status == KT_OK && read_line(out, out->version, sizeof out->version) != KT_OK)
        status =
            kt_fail(KT_NO_INPUT, "%s ended before it had measured anything: it must be a python with PyTorch", python);
    for (size_t i = 0; i < n_shapes; i++)
        kt_memory_free(argv[4 + i]);
    kt_memory_free(argv);
    if (status != KT_OK)
        kt_bench_torch_stop(out);
    return status;
}

void kt_bench_torch_stop(kt_bench_torch *torch)
{
    kt_memory_free(torch->seconds);
    if (torch->to != NULL)
        fclose(torch->to); /* the end of its input ends it */
    if (torch->from != NULL)
        fclose(torch->from);
    if (torch->pid > 0)
        waitpid(torch->pid, NULL, 0);
    *torch = (kt_bench_torch){0};
}

kt_status kt_bench_torch_measure(kt_bench_torch *torch, size_t which, size_t r, double seconds)
{
    char line[64];
    double *step = &torch->seconds[which * torch->n_repetitions + r];
    bool sent = fprintf(torch->to, "%zu %g\n", which, seconds) > 0 && fflush(torch->to) == 0;
    if (!sent || read_line(torch, line, sizeof line) != KT_OK || (*step = strtod(line, NULL)) <= 0)
        return kt_fail(KT_INTERNAL, "the python with PyTorch ended while it measured");
    return KT_OK;
}

double kt_bench_torch_seconds(const kt_bench_torch *torch, size_t which)
{
    return kt_bench_median(torch->n_repetitions, torch->seconds + which * torch->n_repetitions);
}
