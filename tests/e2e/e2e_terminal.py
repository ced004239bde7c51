"""What a terminal shows: lines that fit its width, also when it changes; and what is left for a pipe and for the files."""
import fcntl
import os
import pty
import re
import struct
import termios

import e2e

STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( |$)")


class Terminal:
    """A terminal of so many columns, with what was written to it so far."""

    def __init__(self, columns):
        self.reader, self.writer = pty.openpty()
        self.resize(columns)
        self.text = ""

    def resize(self, columns):
        fcntl.ioctl(self.writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def read(self):
        """More text; False at the end."""
        try:
            got = os.read(self.reader, 65536)
        except OSError:  # nobody has it open for writing any more
            got = b""
        self.text += got.decode()
        return got != b""


def shown(text):
    """Each line as it stood on the screen at some time: a bar replaces what stood in its line."""
    return [part for line in text.split("\r\n") for part in line.replace("\033[K", "").split("\r")]


def check_width(text, columns):
    # The names of files are the user's: a word that is wider than the terminal cannot be folded.
    wide = [line for line in shown(text) if len(line) > columns and " " in line.strip()]
    assert not wide, f"wider than {columns} columns: {wide}"


def run_on(terminal, arguments, ranks, point=""):
    process = e2e.Process(arguments, ranks, stdout=terminal.writer, point=point)
    os.close(terminal.writer)
    return process


def finish_on(terminal, process):
    while terminal.read():
        pass
    e2e.expect(process)


def fits(columns, ranks):
    terminal = Terminal(columns)
    directory = f"narrow-{columns}-{ranks}"
    finish_on(terminal, run_on(terminal, ["job.ini", f"run.dir={directory}", "train.epochs=30"], ranks))
    check_width(terminal.text, columns)
    lines = shown(terminal.text)
    assert any("val" in line and "best" in line for line in lines), terminal.text
    assert any(re.match(r"test +\d+ ", line) for line in lines), terminal.text
    assert "\033[K" in terminal.text, "no bar was drawn"


def every_line_fits():
    """Every line and the bar fit a terminal of 60 columns, of 40 and of 100."""
    for columns, ranks in ((60, 1), (60, 2), (40, 2), (100, 1)):
        fits(columns, ranks)


def sweeps_fit():
    """A sweep's lines, tables and bar fit a terminal of 60 columns, where a wide table becomes several; log.txt has it whole."""
    with open("sweep.ini", "w") as file:
        file.write(e2e.JOB + "[sweep]\nmodel.hidden = [16, 12, 8, 6, 4] | [16]\noptimizer.learning_rate = 0.001, 0.01\n"
                   "model.dropout = 0.1, 0.2\ntrain.batch_size = 17, 50\nseeds = 2\n")
    for more in ((), ("--dry-run",)):
        terminal = Terminal(60)
        finish_on(terminal, run_on(terminal, ["sweep", "sweep.ini", "run.dir=narrow-sweep", *more], 2))
        check_width(terminal.text, 60)
        lines = shown(terminal.text)
        if not more:
            assert sum(re.match(r"10? +\S", line) is not None for line in lines) >= 4, terminal.text  # of the best ten, in parts
    with open("narrow-sweep/log.txt") as file:
        assert re.search(r"^\S+ \S+ 10 .* \d\.\d{4} \+- .* \d\.\d{4} ", file.read(), re.MULTILINE)


def resized():
    """A terminal that becomes narrower while a run goes on gets narrower lines from then on."""
    terminal = Terminal(120)
    other = os.dup(terminal.writer)
    process = run_on(terminal, ["job.ini", "run.dir=resized", "train.epochs=6"], 1, point="step:12:wait")
    process.wait_at_point()  # in the second epoch: the first has its line
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    os.close(other)
    process.let_go()
    finish_on(terminal, process)
    before, _, after = terminal.text.rpartition("samples/s")
    assert "samples/s" not in before and "epoch     2 " in after, terminal.text
    check_width(after.partition("\n")[2], 60)


def few_lines():
    """Thousands of epochs are some hundred lines for a pipe and in log.txt, which has the time of each."""
    done = e2e.train("long", "train.epochs=1500 train.early_stopping=false model.hidden=[] train.batch_size=full checkpoint.every_epochs=0")
    epochs = re.findall(r"^epoch +(\d+)/1500 ", done.out, re.MULTILINE)
    assert 200 < len(epochs) < 400 and epochs[-1] == "1500" and "\033" not in done.out, f"{len(epochs)} lines"
    assert len(e2e.history("long")) == 1500
    with open("long/log.txt") as file:
        lines = file.read().splitlines()
    assert all(STAMP.match(line) for line in lines), lines
    assert sum("train" in line and "epoch" in line for line in lines) >= len(epochs)


def last_epoch():
    """The line of the last epoch is there, wherever training ends."""
    done = e2e.train("end", "train.epochs=101 train.early_stopping=false model.hidden=[] train.batch_size=full checkpoint.every_epochs=0")
    assert re.search(r"^epoch +101/101 ", done.out, re.MULTILINE), done.out


def readers_that_leave():
    """A run whose reader leaves (mpirun, which would write, ends a job then), or whose output is full or closed, goes on to its end; other commands end quietly, or say what is lost."""
    for ranks, arguments in ((1, ["job.ini", "run.dir=left-1"]), (1, ["options"]), (1, ["--help"])):
        reader, writer = os.pipe()
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)  # less than what is said
        process = e2e.Process(arguments, ranks, stdout=writer)
        os.close(writer)
        assert os.read(reader, 1)
        os.close(reader)
        e2e.expect(process)
    for name, redirection in (("full", ">/dev/full"), ("closed", ">&- 2>&- <&-")):
        sh = ("sh", "-c", f'exec "$@" {redirection}', "sh")
        e2e.train(f"left-{name}", wrap=sh)
    e2e.ktrain("options", wrap=("sh", "-c", 'exec "$@" >/dev/full', "sh"), code=e2e.IO, words=("standard output",))
    for name in ("full", "closed"):
        e2e.check_same_run("left-1", f"left-{name}")
        assert e2e.summary(f"left-{name}")["epochs"] == 4


def made_by():
    """summary.json, log.txt, checkpoints and model say by whom they were made: version, command, hosts, libraries."""
    e2e.train("made", ranks=2)
    told = e2e.summary("made")["provenance"]
    assert re.match(r"\d+\.\d+\.\d+", told["version"]) and "run.dir=made" in told["command"], told
    assert re.match(r"2 ranks on \S+$", told["hosts"]) and "OpenBLAS" in told["blas"] and told["mpi"] and told["hdf5"], told
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}$", told["started"]), told
    for path in ["made/best.h5", *e2e.checkpoints("made")]:
        stored = {name.split("/")[1]: text.decode() for name, text in e2e.tensors(path, "provenance").items()}
        assert stored == told, f"{path}: {stored}"
    with open("made/log.txt") as file:
        log = file.read()
    shows = e2e.ktrain("info", "made").out
    for text in told.values():
        assert text in log and text in shows, f"{text} is not in {log}{shows}"


e2e.needs_points()
e2e.write_data()
e2e.write_job()
e2e.main(every_line_fits, sweeps_fit, resized, few_lines, last_epoch, readers_that_leave, made_by)
