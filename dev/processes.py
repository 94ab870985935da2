"""Child processes that end with us, whatever ends us.

Every child leads its own session, so a Ctrl-C in the terminal reaches the workshop
alone, which then ends its children in order. Orphans of children are adopted
(PR_SET_CHILD_SUBREAPER), so a browser started by a test is found as well; and a
child hears of our own sudden death (PR_SET_PDEATHSIG), see prctl(2).
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time

from .say import Trouble, Waiting

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
STOP_SECONDS = 15.0
TAIL_LINES = 25

_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def household(seconds=STOP_SECONDS):
    """Run a block and leave no process behind, by whatever way it is left.

    :param float seconds: for what is asked to end before it is made to
    """
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # explicitly: a shell's background jobs start with SIGINT ignored
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        end_all(seconds)


def _leave(number, _frame):
    raise SystemExit(128 + number)


@contextlib.contextmanager
def foreground():
    """Leave Ctrl-C to a child that shares our terminal while the block runs."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def start(command, user=None, death_signal=signal.SIGTERM, **options):
    """Start a child in a session of its own.

    :param list command: program and arguments
    :param pwd.struct_passwd user: become this user (only root can)
    :param int death_signal: what the child gets should we die without a word
    :param options: passed to :class:`subprocess.Popen`
    :rtype: subprocess.Popen
    """

    def prepare():
        if user is not None:
            os.initgroups(user.pw_name, user.pw_gid)
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        # last: changing the user clears it
        _libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)

    return subprocess.Popen(
        [str(word) for word in command],
        start_new_session=True,
        preexec_fn=prepare,
        **options,
    )


def stop(process, number=signal.SIGTERM, seconds=STOP_SECONDS):
    """End one child: ask, wait, then insist."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(command, log, label=None, **options):
    """Run a command to its end with its output in a file.

    :param pathlib.Path log: file that is appended to
    :param str label: shown while it runs; silent when empty
    :raises Trouble: when it fails, with the end of the log
    """
    with open(log, "ab") as output:
        child = start(command, stdout=output, stderr=subprocess.STDOUT, **options)
        waiting = Waiting(label) if label else None
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = child.wait(0.2)
                    break
                if waiting:
                    waiting.tick()
        finally:
            stop(child)
    if waiting:
        waiting.done()
    if code:
        raise Trouble(
            "%s failed (exit %d). The end of %s:\n%s"
            % (label or pathlib.Path(str(command[0])).name, code, log, tail(log))
        )


def tail(log, lines=TAIL_LINES):
    """The last lines of a file, indented."""
    text = pathlib.Path(log).read_text(encoding="utf-8", errors="replace")
    return "\n".join("  | " + line for line in text.splitlines()[-lines:])


def descendants(root=None):
    """Process ids below ``root`` (us), children before grandchildren.

    :rtype: list
    """
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # "pid (name) state ppid ...": the name may hold spaces and brackets
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            state, parent = fields[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    found, queue = [], [root or os.getpid()]
    while queue:
        below = children.get(queue.pop(0), [])
        found += below
        queue += below
    return found


def end_all(seconds=STOP_SECONDS):
    """End every process below us: ask all, wait, then insist."""
    deadline = time.monotonic() + seconds
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in descendants():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        while descendants() and time.monotonic() < deadline:
            _reap()
            time.sleep(0.05)
        deadline = time.monotonic() + seconds
    _reap()


def _reap():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
