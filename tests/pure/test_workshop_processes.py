"""No process stays behind, whatever ends the workshop."""
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import pytest
import workshop

processes = workshop.load("processes")
say = workshop.load("say")

# A child that ignores the polite signals, with a grandchild that leaves its session
# and whose parent then dies: what a browser under a test runner can look like.
STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
with open(sys.argv[1], "a") as file:
    file.write("%d\\n" % os.getpid())
time.sleep(120)
"""
RUNNER = """
import sys, time
from dev import processes
def main():
    processes.start([sys.executable, "-c", sys.argv[2], sys.argv[1]])
    processes.start(["sleep", "120"])
    time.sleep(120)
with processes.household(seconds=0.5):
    main()
"""
PATIENCE = 30.0


@pytest.fixture
def running(tmp_path):
    """A workshop with stubborn children: (its process, pids of its descendants)."""
    pids = tmp_path / "pids"
    runner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RUNNER), str(pids), STUBBORN],
        env=dict(os.environ, PYTHONPATH=str(workshop.CHECKOUT)),
        stderr=subprocess.DEVNULL,
    )
    below = []
    try:
        until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        below += processes.descendants(runner.pid)
        assert len(below) == 3
        yield runner, below
    finally:
        for pid in {runner.pid, *below, *map(int, pids.read_text().split())}:
            if alive(pid):
                os.kill(pid, signal.SIGKILL)
        runner.wait()


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid):
    try:
        stat = pathlib.Path("/proc/%d/stat" % pid).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_all_descendants(running, number):
    runner, below = running
    runner.send_signal(number)
    assert runner.wait(PATIENCE) != 0
    assert [pid for pid in below if alive(pid)] == []


def test_impatient_second_signal_changes_nothing(running):
    runner, below = running
    runner.send_signal(signal.SIGINT)
    time.sleep(0.1)
    runner.send_signal(signal.SIGINT)
    runner.wait(PATIENCE)
    assert [pid for pid in below if alive(pid)] == []


def test_child_hears_of_sudden_death():
    script = (
        "from dev import processes; import time;"
        "print(processes.start(['sleep', '120']).pid, flush=True); time.sleep(60)"
    )
    runner = subprocess.Popen(
        [sys.executable, "-c", script],
        env=dict(os.environ, PYTHONPATH=str(workshop.CHECKOUT)),
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(runner.stdout.readline())
    runner.kill()
    runner.wait()
    runner.stdout.close()
    until(lambda: not alive(pid))


def test_failure_shows_the_end_of_the_log(tmp_path):
    log = tmp_path / "log"
    with pytest.raises(say.Trouble) as caught:
        processes.run(["sh", "-c", "echo all is lost; exit 3"], log, "a test")
    assert "all is lost" in str(caught.value)
    assert "exit 3" in str(caught.value)
    assert str(log) in str(caught.value)


def test_stop_insists(tmp_path):
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    child = processes.start(["sh", "-c", script], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    processes.stop(child, seconds=0.2)
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL
