"""A headless Chromium that is driven through its DevTools protocol.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import pathlib
import tempfile
import time
import urllib.request

import websocket

from . import browser, processes
from .say import Trouble

START_SECONDS = 60.0
ANSWER_SECONDS = 60.0
STEP = 0.1  # seconds between two looks at a page


class Chromium:
    """One page of a browser, closed with the context.

    :param str executable: path of the browser
    """

    def __init__(self, executable=None):
        self.executable = executable or browser.find()
        if self.executable is None:
            raise Trouble("There is no Chromium: sudo apt install chromium")
        self._number = 0

    def __enter__(self):
        self._profile = tempfile.TemporaryDirectory(prefix="cs-chromium-")
        command = [self.executable, "--headless", "--no-sandbox", "--disable-gpu"]
        command += ["--remote-debugging-port=0", "--hide-scrollbars", "about:blank"]
        command += ["--user-data-dir=" + self._profile.name, *browser.FLAGS]
        log = pathlib.Path(self._profile.name) / "log"
        with open(log, "wb") as output:
            self._process = processes.start(command, stdout=output, stderr=output)
        try:
            self._socket = websocket.create_connection(
                self._page_address(), timeout=ANSWER_SECONDS
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error):
        processes.stop(self._process)
        self._profile.cleanup()

    def _page_address(self):
        port_file = pathlib.Path(self._profile.name) / "DevToolsActivePort"
        deadline = time.monotonic() + START_SECONDS
        while not port_file.exists() or not port_file.read_text():
            if time.monotonic() > deadline:
                raise Trouble("Chromium did not start.")
            time.sleep(STEP)
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(
            "http://127.0.0.1:%s/json" % port, timeout=ANSWER_SECONDS
        ) as answer:
            targets = json.load(answer)
        return next(t for t in targets if t["type"] == "page")["webSocketDebuggerUrl"]

    def send(self, method, **params):
        """Give a command and wait for its result.

        :raises Trouble: the browser refuses
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._number:
                break
        if "error" in answer:
            raise Trouble("%s: %s" % (method, answer["error"]["message"]))
        return answer["result"]

    def run(self, script):
        """The value of a JavaScript expression; promises are waited for.

        :raises Trouble: it throws
        """
        result = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise Trouble("%s: %s" % (script, result["exceptionDetails"]))
        return result["result"].get("value")

    def wait(self, condition, seconds=30.0):
        """Wait until a JavaScript expression is true.

        :raises Trouble: it does not become so
        """
        deadline = time.monotonic() + seconds
        while not self.run("Boolean(%s)" % condition):
            if time.monotonic() > deadline:
                text = self.run("document.body.innerText")
                raise Trouble("not seen: %s\n%s" % (condition, text))
            time.sleep(STEP)

    def cookie(self, url, name, value):
        """Set a cookie."""
        self.send("Network.setCookie", url=url, name=name, value=value)

    def resize(self, width, height):
        """Set the size of the page, in CSS pixels."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, url):
        """Go to an address, as if typed in."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=url)

    def picture(self, path):
        """Save what is seen as a PNG."""
        picture = self.send("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(picture["data"]))
