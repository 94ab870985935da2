"""The interpreter, the virtualenv, ports and scratch directories."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import textwrap
import time

import pytest
import workshop

paths = workshop.load("paths")
ports = workshop.load("ports")
python = workshop.load("python")
say = workshop.load("say")
venv = workshop.load("venv")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLOUD_STORAGE_DEV_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHON", sys.executable)
    return paths.cache()


def fake_python(path, answer):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\necho '%s'\n" % answer)
    path.chmod(0o755)
    return path


def test_without_python_it_says_how_to_get_one(tmp_path):
    fake_python(tmp_path / "bin" / "python3", "cpython 3.11")
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    with pytest.raises(say.Trouble, match="3.8, 3.9 or 3.10") as caught:
        python.find(environ)
    assert "pyenv install 3.9" in str(caught.value)


def test_python_of_pyenv_is_found_and_3_9_preferred(tmp_path):
    wanted = None
    for version in ("3.8.18", "3.9.18", "3.10.13"):
        short = version.rpartition(".")[0]
        folder = tmp_path / ".pyenv/versions" / version / "bin"
        made = fake_python(folder / ("python" + short), "cpython " + short)
        wanted = made if short == "3.9" else wanted
    environ = {"PATH": "", "HOME": str(tmp_path)}
    assert python.find(environ) == (str(wanted), "3.9")


def test_broken_shim_is_passed_over(tmp_path):
    fake_python(tmp_path / "bin" / "python3.9", "pyenv: command not found")
    good = fake_python(tmp_path / "bin" / "python3.10", "cpython 3.10")
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    assert python.find(environ) == (str(good), "3.10")


def test_unsuitable_choice_is_refused(tmp_path):
    chosen = fake_python(tmp_path / "python", "cpython 3.12")
    with pytest.raises(say.Trouble, match="is 3.12"):
        python.find({"PYTHON": str(chosen), "PATH": ""})


def test_this_python_is_suitable():
    assert python.version_of(sys.executable) in python.VERSIONS


def test_interrupted_set_up_is_repaired(cache, tmp_path, capsys):
    pins = tmp_path / "pins.txt"
    pins.write_text("# nothing\n")
    folder = venv.place("try", [pins], *python.find())
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text("half a program")

    interpreter = venv.ensure("try", [pins])
    assert interpreter == folder / "bin" / "python"
    assert "interrupted" in capsys.readouterr().out
    assert subprocess.check_output([interpreter, "-c", "print(1)"]) == b"1\n"
    stamp = (folder / venv.COMPLETE).stat().st_mtime_ns
    venv.ensure("try", [pins])
    assert (folder / venv.COMPLETE).stat().st_mtime_ns == stamp


def test_failed_set_up_is_not_taken_for_a_complete_one(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    pins = tmp_path / "pins.txt"
    pins.write_text("no-such-distribution-anywhere==1\n")
    with pytest.raises(say.Trouble, match="no-such-distribution-anywhere"):
        venv.ensure("try", [pins])
    folder = venv.place("try", [pins], *python.find())
    assert folder.exists()
    assert not (folder / venv.COMPLETE).exists()


def test_other_pins_or_python_make_another_virtualenv(cache, tmp_path):
    pins = tmp_path / "pins.txt"
    pins.write_text("# one\n")
    places = {venv.place("try", [pins], "/usr/bin/python3.9", "3.9")}
    places.add(venv.place("try", [pins], "/opt/python3.9", "3.9"))
    pins.write_text("# two\n")
    places.add(venv.place("try", [pins], "/usr/bin/python3.9", "3.9"))
    assert len(places) == 3


def test_taken_port_gives_another():
    with socket.socket() as taken:
        taken.bind((ports.HOST, 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert ports.free(number) not in (0, number)
    assert ports.free(number) == number


def test_scratch_directory_goes_with_the_run(tmp_path):
    with paths.scratch(tmp_path) as folder:
        (folder / "file").touch()
        with paths.scratch(tmp_path) as other:
            assert other != folder
        assert (folder / "file").exists(), "it belongs to a run that lives"
    assert list((tmp_path / "runs").iterdir()) == []


def test_what_a_killed_run_left_is_swept(tmp_path):
    script = textwrap.dedent(
        """
        import pathlib, sys, time
        from dev import paths
        with paths.scratch(pathlib.Path(sys.argv[1])) as folder:
            print(folder, flush=True)
            time.sleep(60)
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        env=dict(os.environ, PYTHONPATH=str(workshop.CHECKOUT)),
        stdout=subprocess.PIPE,
        text=True,
    )
    left = pathlib.Path(child.stdout.readline().strip())
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert left.exists()
    with paths.scratch(tmp_path):
        assert not left.exists()


def test_waiting_tells_that_it_goes_on(capsys, monkeypatch):
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    waiting = say.Waiting("cooking", every=15)
    for _ in range(4):
        waiting.tick()
    waiting.done()
    assert capsys.readouterr().out.count("s so far") == 2
