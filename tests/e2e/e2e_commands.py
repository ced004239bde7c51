"""Wrong command lines: one sentence, the right exit code, on one rank and on two, at once."""
import os
import re

import e2e


def no_file():
    """A configuration that is not there, or a directory, is missing input."""
    for n in (1, 2):
        e2e.ktrain("nothere.ini", ranks=n, code=e2e.NO_INPUT, words=(f"nothere.ini: No such file or directory (looked for at {os.getcwd()}/nothere.ini)",))
    e2e.ktrain("/nothere.ini", code=e2e.NO_INPUT, words=("ktrain: /nothere.ini: No such file or directory",))
    e2e.ktrain("evaluate", "runs/x", code=e2e.NO_INPUT, words=(f"(looked for at {os.getcwd()}/runs/x): must be the directory of a run",))
    os.makedirs("folder.ini")
    e2e.ktrain("folder.ini", code=e2e.NO_INPUT, words=("folder.ini", "not a regular file"))


def other_folder():
    """A run is evaluated from another folder: its data, not found, is told with where it was looked for and where it is."""
    e2e.train("runs/one", "train.epochs=1")
    here, other = os.getcwd(), os.path.realpath("other")
    os.makedirs(other)
    for n in (1, 2):
        e2e.ktrain("evaluate", f"{here}/runs/one", ranks=n, code=e2e.NO_INPUT, wrap=("env", "-C", other),
                   words=(f"(looked for at {other}/x.npy)", f"; there is one where the run was trained: start ktrain in {here},"))
    os.rename("runs/one", "other/moved")
    e2e.ktrain("evaluate", "moved", code=e2e.NO_INPUT, wrap=("env", "-C", other), words=("start ktrain where the run was trained, or give FEATURES LABELS",))


def overrides():
    """Overrides are as strict as the file: no section or no value is wrong usage, a bad value a bad configuration."""
    for argument, code, words in (("epochs=3", e2e.USAGE, ("epochs=3", "section.key=value")), ("train.epochs", e2e.USAGE, ("train.epochs",)),
                                  ("--fast", e2e.USAGE, ("--fast",)), ("train.epochs=three", e2e.CONFIG, ("train.epochs = three", "whole number")),
                                  ("train.epoch=3", e2e.CONFIG, ("did you mean train.epochs",)), ("", e2e.USAGE, ())):
        e2e.ktrain("job.ini", argument, code=code, words=words)
    e2e.ktrain("job.ini", "nonsense", ranks=2, code=e2e.USAGE, words=("nonsense",))
    e2e.ktrain("job.ini", "train.epochs=0", ranks=2, code=e2e.CONFIG, words=("train.epochs = 0",))
    assert not os.path.exists("runs/default")


def commands():
    """Wrong command lines are wrong usage, with the nearest command; every command says how it is used."""
    names = re.findall(r"^  (\w+) +[a-z]", e2e.ktrain("help").out.split("\nexit codes:")[0], re.M)
    assert names[0] == "train" and names[-1] == "help", names
    for arguments, words in (((), ("--help",)), (("evalute", "runs"), ("evalute", "did you mean evaluate")), (("--hlep",), ("--hlep",)),
                             (("--verbose",), (f"--verbose is neither a command ({', '.join(names)}) nor a file",)),
                             (("help", "evalute"), ("did you mean evaluate",)), (("train", "--fast", "job.ini"), ("--fast", "ktrain train --help")),
                             (("sweep", "--fast"), ("--fast", "ktrain sweep --help")), (("options", "--fast"), ("--fast", "ktrain options --help")),
                             (("info", "--fast"), ("ktrain info --help",)),
                             (("train",), ("configuration",)), (("evaluate",), ("RUN",)), (("evaluate", "a", "b"), ("FEATURES LABELS",)),
                             (("predict", "a", "b"), ("-o FILE",)), (("predict", "a", "-o", "p.csv"), ("predict",)), (("check",), ()),
                             (("predict", "a", "b", "-x"), ("-x",)), (("predict", "a", "b", "-o", "p.txt"), ("p.txt", ".csv, .npy or .h5"))):
        e2e.ktrain(*arguments, code=e2e.USAGE, words=words)
    e2e.ktrain("evalute", "runs", ranks=2, code=e2e.USAGE, words=("did you mean evaluate",))
    nothing = e2e.ktrain(code=e2e.USAGE).out
    assert "usage: " in nothing and nothing == e2e.ktrain("help").out == e2e.ktrain("--help").out, nothing
    for code in (0, e2e.USAGE, e2e.DIVERGED, e2e.DATA, e2e.NO_INPUT, e2e.INTERNAL, e2e.NO_MEMORY, e2e.IO, 75, e2e.CONFIG):
        assert f"\n  {code:2}  " in nothing, nothing
    assert "stopped on request, with a checkpoint" in nothing and "did you mean" not in e2e.ktrain("frobnicate", code=e2e.USAGE).err
    assert e2e.ktrain("help", "sweep").out == e2e.ktrain("sweep", "--help").out
    for word in names:
        help_of_it = e2e.ktrain(word, "--help").out
        assert help_of_it.startswith(f"usage: [mpirun -np N] ktrain {word}") and help_of_it == e2e.ktrain("help", word).out
        for option in re.findall(r"^  (-[\w-]+)", help_of_it, re.M):
            assert option in help_of_it.split("\n")[0], f"the line of usage of {word} lacks {option}"
    assert "evaluate" in e2e.ktrain("--help").out and e2e.ktrain("--version").out.startswith("ktrain ")


e2e.write_data()
e2e.write_job()
def launchers():
    """What was started as several processes without MPI between them is refused; a job's other tasks are missed with a warning."""
    for variables, words in ((("SLURM_STEP_NUM_TASKS=4", "SLURM_NTASKS=4"), "4 processes started by srun without MPI"),
                             (("PMI_SIZE=2",), "2 processes started by mpirun of MPICH")):
        e2e.ktrain("job.ini", wrap=("env", *variables), code=e2e.USAGE, words=(words,))
    e2e.train("typed", "train.epochs=1", wrap=("env", "SLURM_STEP_NUM_TASKS=4", "SLURM_PTY_PORT=1"))
    e2e.train("alone", "train.epochs=1", wrap=("env", "SLURM_NTASKS=8"), warns=("one rank in a job of 8 tasks",))
    done = e2e.train("ranks", "train.epochs=1", 2, wrap=("env", "SLURM_NTASKS=8", "SLURM_STEP_NUM_TASKS=4"))
    assert "tasks" not in done.err, done.err


def other_arguments():
    """Ranks that were given different jobs are refused, and do not wait for each other."""
    if os.environ["KT_MPI"] != "openmpi":
        return
    job = e2e.expect(e2e.Process(["job.ini", "run.dir=one", ":", "-np", "1", e2e.KTRAIN, "job.ini", "run.dir=another"], 1, starter=[
        os.path.join(os.path.dirname(e2e.HERE), "mpirun.sh"), "1", e2e.KTRAIN]), e2e.USAGE, ("other arguments than rank 0", "[rank 1 on "))
    assert not os.path.exists("one") and not os.path.exists("another"), job.out


def exit_codes():
    """README has every exit code with the words that --help begins with."""
    with open(os.path.join(os.environ["KT_SOURCE_DIR"], "README.md")) as file:
        readme = " ".join(file.read().split())
    rows = e2e.ktrain("--help").out.partition("exit codes:\n")[2].splitlines()
    assert len(rows) == 11, rows
    for row in rows:
        code, words = row.split(maxsplit=1)
        words = re.split("[:;,]", words)[0]
        assert f" {code} {words}" in readme, f"README's exit codes lack: {code} {words}"


e2e.main(other_arguments, exit_codes, no_file, overrides, commands, launchers, other_folder)
