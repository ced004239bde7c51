"""What the ranks of a job send each other, as Open MPI counts it: bytes of messages, without any network's headers."""
import collections

Sent = collections.namedtuple("Sent", "total between_hosts")


def options(prefix):
    """Options of mpirun that have rank r write what it has sent to PREFIX.r.prof, when it ends."""
    given = {"pml_monitoring_enable": 2, "pml_monitoring_enable_output": 3, "pml_monitoring_filename": prefix,
             "osc": "^monitoring"}  # which forgets that a window's memory is shared
    return [word for name, value in given.items() for word in ("--mca", name, str(value))]


def bytes_sent(prefix, n_ranks, ranks_per_host):
    """Bytes that all ranks have sent; host h has the ranks from h * ranks_per_host. Memory they share is no message."""
    total = between_hosts = 0
    for rank in range(n_ranks):
        with open(f"{prefix}.{rank}.prof") as file:
            lines = [line.split() for line in file]
        # E: messages; I: those that collectives are made of (C has the same collectives as they were asked for);
        # S and R: one-sided ones, which may go by messages or not.
        assert ["#", "OSC"] in lines, f"{prefix}.{rank}.prof is not whole"
        assert not [line for line in lines if line[0] in ("S", "R")], f"{prefix}.{rank}.prof has one-sided messages"
        for _, sender, receiver, count, *_ in (line for line in lines if line[0] in ("E", "I")):
            assert int(sender) == rank, f"{prefix}.{rank}.prof has what rank {sender} sent"
            total += int(count)
            if int(receiver) // ranks_per_host != rank // ranks_per_host:
                between_hosts += int(count)
    return Sent(total, between_hosts)


def per_step(few, many, n_steps):
    """Bytes per step from two jobs, of which the second made n_steps more and did all else alike."""
    return Sent(*((b - a) / n_steps for a, b in zip(few, many)))
