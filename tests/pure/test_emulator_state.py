"""Starting, stopping, crashing, and what is left of the state."""
import os
import signal
import subprocess
import sys
import time

import pytest
import requests
from conftest import Api, Emulator, refusal

UNIT = 256 * 1024
PARENT = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("emulator", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
emulator = module.Emulator.start()
print(emulator.process.pid, flush=True)
sys.stdin.read()
"""


def gone(pid):
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if not os.path.exists("/proc/%d" % pid):
            return True
        with open("/proc/%d/stat" % pid) as stat:
            if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        time.sleep(0.05)
    return False


def test_everything_survives_a_crash(tmp_path):
    content = os.urandom(3 * UNIT)
    emulator = Emulator.start(state_dir=tmp_path)
    port = int(emulator.url.rsplit(":", 1)[1])
    client = emulator.client(["https://example.com/back"])
    grant = emulator.grant(client_id=client["client_id"])
    api = Api(emulator, grant)
    file = api.create("kept", b"kept", appProperties={"a": "1"})
    gone_id = api.create("gone")["id"]
    api.call("DELETE", "/files/" + gone_id)
    (reserved,) = api.get("/files/generateIds", count=1).json()["ids"]
    uri = api.start(name="half", fields="id,sha1Checksum")
    headers = {"Content-Range": "bytes 0-%d/*" % (2 * UNIT - 1)}
    requests.put(uri, data=content[: 2 * UNIT], headers=headers, timeout=30)
    emulator.kill()

    with Emulator.start(state_dir=tmp_path, port=port) as again:
        assert again.url == emulator.url
        api = Api(again, grant)
        assert api.get("/files/" + file["id"], fields="*").json() == file
        assert api.get("/files/" + file["id"], alt="media").content == b"kept"
        assert refusal(api.get("/files/" + gone_id))[0] == 404
        assert api.create("reserved", id=reserved)["id"] == reserved
        asked = requests.put(uri, headers={"Content-Range": "bytes */*"}, timeout=30)
        assert asked.headers["Range"] == "bytes=0-%d" % (2 * UNIT - 1)
        span = "bytes %d-%d/%d" % (2 * UNIT, 3 * UNIT - 1, 3 * UNIT)
        done = requests.put(
            uri, data=content[2 * UNIT :], headers={"Content-Range": span}, timeout=30
        )
        assert again.content(done.json()["id"]) == content
        data = dict(client, grant_type="refresh_token")
        data["refresh_token"] = grant["refresh_token"]
        answer = requests.post(again.url + "/token", data=data, timeout=30)
        assert answer.status_code == 200
        about = api.get("/about", fields="storageQuota/usage").json()
        assert about["storageQuota"]["usage"] == str(4 + 7 + len(content))


def test_a_torn_last_line_is_passed_over(tmp_path):
    with Emulator.start(state_dir=tmp_path) as emulator:
        file_id = emulator.put_file("kept", b"kept")
    with open(str(tmp_path / "journal.jsonl"), "ab") as journal:
        journal.write(b'["files",{"torn')
    with Emulator.start(state_dir=tmp_path) as emulator:
        assert [file["id"] for file in emulator.files()] == [file_id]


def test_temporary_state_goes_with_the_process():
    emulator = Emulator.start()
    directory = emulator._call("ping")["directory"]
    assert os.path.isdir(directory)
    emulator.stop()
    assert not os.path.exists(directory)
    assert gone(emulator.process.pid)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_it_ends_with_its_parent():
    path = os.path.join(os.path.dirname(os.path.dirname(__file__)), "emulator.py")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    pid = int(parent.stdout.readline())
    assert not gone_now(pid)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert gone(pid)


def gone_now(pid):
    return not os.path.exists("/proc/%d" % pid)


def test_two_at_once_do_not_meet(emulator):
    with Emulator.start() as other:
        other.put_file("x")
        assert emulator.files() == []
        assert Emulator(other.url).files()[0]["name"] == "x"


def test_a_taken_port_is_told(emulator):
    with pytest.raises(Exception, match="did not start"):
        Emulator.start(port=int(emulator.url.rsplit(":", 1)[1]))


def test_reset(emulator):
    client = emulator.client()
    api = Api(emulator, emulator.grant(client_id=client["client_id"]))
    api.create("x")
    emulator.fault("*", status=500)
    emulator.reset()
    assert (emulator.files(), emulator.faults(), emulator.requests()) == ([], [], [])
    assert refusal(api.get("/files")) == (401, "authError")
    data = dict(client, grant_type="refresh_token", refresh_token="x")
    url = emulator.url + "/token"
    assert requests.post(url, data=data, timeout=30).json()["error"] == "invalid_grant"
    emulator.reset(clients=True)
    assert requests.post(url, data=data, timeout=30).json()["error"] == "invalid_client"


def test_files_can_be_arranged(emulator, connect):
    api = connect(scope="drive")
    file_id = emulator.put_file(
        "x.txt", b"old", appProperties={"a": "1"}, createdTime=1000000000
    )
    file = api.get("/files/" + file_id, fields="*").json()
    assert (file["mimeType"], file["appProperties"]) == ("text/plain", {"a": "1"})
    assert file["createdTime"] == "2001-09-09T01:46:40.000Z"
    emulator.edit_file(file_id, content=b"newer")
    emulator.edit_file(file_id, name="y", trashed=True)
    file = api.get("/files/" + file_id, fields="name,trashed,size").json()
    assert file == {"name": "y", "trashed": True, "size": "5"}
    emulator.remove_file(file_id)
    assert refusal(api.get("/files/" + file_id))[0] == 404


def memory(pid):
    """Peak resident memory of a process, in bytes."""
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs /proc")
def test_big_files_are_not_held_in_memory():
    size = 256 * 1024 * 1024
    block = os.urandom(1024 * 1024)
    with Emulator.start() as emulator:
        api = Api(emulator, emulator.grant())
        api.create("warm up")
        before = memory(emulator.process.pid)
        uri = api.start(fields="id", total=size)
        headers = {"Content-Length": str(size)}
        stream = (block for _number in range(size // len(block)))
        session = requests.Session()
        prepared = requests.Request("PUT", uri, data=stream, headers=headers).prepare()
        prepared.headers.pop("Transfer-Encoding", None)
        answer = session.send(prepared, timeout=120)
        path = "/files/" + answer.json()["id"]
        got = 0
        with api.call("GET", path, params={"alt": "media"}, stream=True) as download:
            for piece in download.iter_content(1024 * 1024):
                got += len(piece)
        assert got == size
        assert memory(emulator.process.pid) - before < 32 * 1024 * 1024
