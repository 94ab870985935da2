"""Start the emulator: ``python tests/drive_emulator --port 0 --state-dir DIR``.

Without a state directory everything is in a temporary one that goes at exit. It
ends when its parent does, so that a killed test run leaves nothing behind.
"""
import argparse
import os
import shutil
import signal
import sys
import tempfile
import threading
import time

from app import App
from http_server import Server

PARENT_CHECK = 0.5  # seconds


def _arguments():
    parser = argparse.ArgumentParser(prog="drive_emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--port-file", help="write the port there once it listens")
    parser.add_argument("--state-dir", help="keep the state there, over restarts")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--detach", action="store_true", help="outlive the parent")
    return parser.parse_args()


def _end_with(parent):
    # polled: PR_SET_PDEATHSIG would already fire at the end of the starting thread
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK)
    os.kill(os.getpid(), signal.SIGTERM)


def _write_port(path, port):
    with open(path + ".new", "w", encoding="ascii") as stream:
        stream.write("%d\n" % port)
    os.replace(path + ".new", path)


def _serve(options, directory):
    app = App(directory, durable=bool(options.state_dir))
    app.latency_ms = options.latency_ms
    with Server((options.host, options.port), app) as server:
        port = server.server_address[1]
        app.base_url = "http://%s:%d" % (options.host, port)
        if options.port_file:
            _write_port(options.port_file, port)
        print("listening on %s" % app.base_url, flush=True)
        server.serve_forever(poll_interval=3600)


def main():
    """Serve until a signal or the end of the parent."""
    options = _arguments()
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(0))
    if not options.detach:
        args = (os.getppid(),)
        threading.Thread(target=_end_with, args=args, daemon=True).start()
    directory = options.state_dir or tempfile.mkdtemp(prefix="drive-emulator-")
    try:
        _serve(options, directory)
    except KeyboardInterrupt:
        return
    finally:
        if not options.state_dir:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
