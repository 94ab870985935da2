"""A headless Chromium that the tests drive step by step.

``HttpCase.browser_js`` runs one script in one page; going through a consent page and
back needs several.
"""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from odoo.tests.common import HOST, HttpCase
from odoo.tools import config

from .common import CloudCase

PATIENCE = 20  # seconds
MANAGER = "cloud_storage.group_cloud_storage_manager"
USER = "cloud_storage.group_cloud_storage_user"
#: Keys as Chromium wants them: code, and the text that they type.
KEYS = {"Tab": (9, ""), "Enter": (13, "\r")}
#: The status bar of a finished run.
DONE = ".o_statusbar_status [aria-current=step][data-value=done]"
#: The visible element that matches a selector and holds a text.
FIND = (
    "[...document.querySelectorAll(%s)].find((e) =>"
    " e.getClientRects().length && (e.textContent + (e.value || '')).includes(%s))"
)

#: Opens the details of the client's error dialogs.
SHOW_DETAILS = (
    "document.querySelectorAll('.o_dialog_error .btn-link, .o_error_detail_toggle')"
    ".forEach((button) => button.click())"
)


class CommittingHttpCase(HttpCase):
    """Commits ``web.base.url``, whose row would stay locked during the tests."""

    @classmethod
    def base_url(cls):
        """Address of the server; Odoo 14 has no such method."""
        return "http://%s:%d" % (HOST, config["http_port"])

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if getattr(cls, "cr", None):  # Odoo 15: one cursor for the class
            cls.cr.commit()

    def setUp(self):
        super().setUp()
        if "cr" in vars(self):  # Odoo 14: one per test
            self.cr.commit()


class BrowserCase(CloudCase, CommittingHttpCase):
    """Committed data, and a browser that looks at it."""

    registry_test_mode = False  # requests have cursors of their own

    def setUp(self):
        super().setUp()
        # Odoo 14 leaves localhost there, which has other cookies
        self.env["ir.config_parameter"].set_param("web.base.url", self.base_url())
        self.cr.commit()
        self._start_background()

    def _start_background(self):
        """Go on with queued runs while the browser looks, as a cron thread does."""
        ended = threading.Event()
        pool = ThreadPoolExecutor(1)
        future = pool.submit(self._in_environments, self._work_until, ended)
        # the last to be added is the first: before anything is cleaned up
        self.addCleanup(future.result)
        self.addCleanup(pool.shutdown)
        self.addCleanup(ended.set)

    def _work_until(self, ended):
        while not ended.wait(0.2):
            with self.other_transaction() as env:
                queued = [("state", "=", "queued")]
                if env["cloud_storage.sync.run"].search_count(queued):
                    env["cloud_storage.sync.service"]._work_on_queue()
                env.cr.commit()

    def open(self, path, login):
        """Open a page as somebody; a login is also the password."""
        self.cr.commit()
        self.start_browser()
        self._leave()  # a late answer to the last page would bring its session back
        self.addCleanup(self._leave)
        self.authenticate(login, login)
        # another query each time: a new hash alone would not load the page again
        path = path.replace("/web#", "/web?visit=%d#" % time.monotonic_ns())
        self.browser.navigate_to(self.base_url() + path, wait_stop=True)
        # who has no menu never becomes ready on Odoo 14
        self.wait("document.querySelector('.o_main_navbar')")

    def open_action(self, xml_id, login, **options):
        """Open an action of this addon."""
        options["action"] = self.env.ref("cloud_storage." + xml_id).id
        self.open("/web#" + "&".join("%s=%s" % item for item in options.items()), login)

    def open_record(self, record, login):
        """Open the form of a record."""
        self.open(
            "/web#id=%d&model=%s&view_type=form" % (record.id, record._name), login
        )

    def _leave(self):
        # the page goes first: while it lives it may ask and be given a new session
        self.browser.navigate_to("about:blank", wait_stop=True)
        self._wait_remaining_requests()
        self.browser.delete_cookie("session_id", domain=HOST)
        self.browser.clear()

    def js(self, expression):
        """The value of an expression; None while the page changes."""
        sent = self.browser._websocket_send(
            "Runtime.evaluate", params={"expression": expression, "returnByValue": True}
        )
        answer = self.browser._websocket_wait_id(sent)
        return answer.get("result", {}).get("result", {}).get("value")

    def wait(self, condition):
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.js("Boolean(%s)" % condition):
            if time.monotonic() > deadline:
                self.browser.take_screenshot()
                self.js(SHOW_DETAILS)
                time.sleep(1)  # for the details to appear
                self.fail("%s\n%s" % (condition, self.js("document.body.innerText")))
            time.sleep(0.1)

    def see(self, selector, text=""):
        """Wait until an element with a text can be seen.

        :return: JavaScript that finds it
        """
        found = FIND % (json.dumps(selector), json.dumps(text))
        self.wait(found)
        return found

    def is_seen(self, selector, text=""):
        """Whether it can be seen right now."""
        found = FIND % (json.dumps(selector), json.dumps(text))
        return self.js("Boolean(%s)" % found)

    def text(self, selector):
        """The text of an element, once it can be seen."""
        return self.js("%s.innerText" % self.see(selector))

    def click(self, selector, text=""):
        """Click on an element once it can be seen."""
        self.js("%s.click()" % self.see(selector, text))

    def fill(self, selector, value):
        """Type into a field."""
        self.js(
            "{const field = %s; field.value = %s;"
            " for (const name of ['input', 'change'])"
            " field.dispatchEvent(new Event(name, {bubbles: true}))}"
            % (self.see(selector), json.dumps(value))
        )

    def walk(self, names=(), every_mode=True):
        """Go to every view of this addon without loading the page again.

        :param names: of further records' forms: ``(model, id)``
        :param bool every_mode: charts and the like too, which small screens have not
        :return: iterator of what the page is about
        """
        for fragment in self._views(every_mode) + [
            "id=%d&model=%s&view_type=form" % (res_id, model) for model, res_id in names
        ]:
            self.js(
                "document.querySelectorAll('.o_view_controller')"
                ".forEach((e) => e.classList.add('o_seen'));"
                " window.location.hash = '%s'" % fragment
            )
            self.see(".o_view_controller:not(.o_seen)")
            self.settle()
            yield fragment

    def settle(self):
        """Wait until the page stays as it is: a page left half-made raises errors."""
        self.wait(
            "(() => {const now = document.body.innerHTML.length;"
            " if (now !== window.lastSize) {window.lastSize = now;"
            " window.sameSince = Date.now()}"
            " return Date.now() - window.sameSince > 400})()"
        )

    def _views(self, every_mode):
        top = self.env.ref("cloud_storage.menu_cloud_storage")
        menus = self.env["ir.ui.menu"].search([("id", "child_of", top.id)])
        actions = [menu.action for menu in menus if menu.action]
        found = ["action=%d" % a.id for a in actions if a.type == "ir.actions.server"]
        for action in actions:
            if action.type == "ir.actions.act_window" and action.target != "new":
                modes = action.view_mode.replace("tree", "list").split(",")
                modes = [m for m in modes if m != "form" or action.res_id]
                modes = modes if every_mode else modes[:1]
                found += ["action=%d&view_type=%s" % (action.id, m) for m in modes]
        return found

    def press(self, key, shift=False):
        """Press a key where the focus is.

        :param str key: ``Tab`` or ``Enter``
        """
        code, text = KEYS[key]
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        event["modifiers"] = 8 * shift
        for kind in ("keyDown", "keyUp"):
            if text and kind == "keyDown":
                event["text"] = text
            self.devtools("Input.dispatchKeyEvent", **dict(event, type=kind))

    def devtools(self, method, **params):
        """Have the browser do something a page can not; return its answer."""
        sent = self.browser._websocket_send(method, params=params)
        return self.browser._websocket_wait_id(sent).get("result", {})

    def focus(self, selector, text=""):
        """Put the focus on an element once it can be seen."""
        self.js("%s.focus()" % self.see(selector, text))

    def fresh(self, record):
        """The record as the database has it now."""
        self.cr.commit()
        record.invalidate_cache()
        return record
