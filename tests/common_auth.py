"""What the tests of accounts share: sessions, RPC, what is logged."""

import contextlib
import logging
import os
import xmlrpc.client
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from odoo.tests.common import get_db_name
from odoo.tools import config

from .common import CloudCase

TIMEOUT = 60  # seconds
CALLBACK = "/cloud_storage/oauth/callback"
MANAGER = "cloud_storage.group_cloud_storage_manager"
USER = "cloud_storage.group_cloud_storage_user"


class AuthCase(CloudCase):
    """An account without tokens, and people who can log in over HTTP."""

    def setUp(self):
        super().setUp()
        self.base = "http://127.0.0.1:%d" % config["http_port"]
        self.redirect_uri = self.base + CALLBACK

    def make_draft(self, redirect_uris=None, **vals):
        """An account with an OAuth client that Google knows, not yet authorized."""
        client = self.emulator.client(redirect_uris or [self.redirect_uri])
        values = {
            "name": "Drafted",
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "redirect_uri": self.redirect_uri,
        }
        account = self.env["cloud_storage.auth"].create(dict(values, **vals))
        self.cr.commit()
        return account

    def fresh(self, record):
        """The record as the database has it now."""
        self.cr.commit()
        record.invalidate_cache()
        return record

    def secret(self, record, name):
        """A secret as the server keeps it now."""
        return self.fresh(record)._secret(name)

    def secrets_of(self, record):
        """Every secret of an account by name, for comparing before and after."""
        self.fresh(record)
        return {
            name: record._secret(name)
            for name in ("client_secret", "access_token", "refresh_token")
        }

    # -- people ------------------------------------------------------------------------

    def login(self, user):
        """A browser session of a user."""
        self.cr.commit()
        session = requests.Session()
        session.trust_env = False
        self.addCleanup(session.close)
        params = {"db": get_db_name(), "login": user.login, "password": user.login}
        self.call(session, "/web/session/authenticate", params)
        return session

    def make_manager(self, name="manager"):
        return self.make_user(name, MANAGER)

    def call(self, session, path, params):
        """A JSON-RPC call; returns its result."""
        answer = session.post(
            self.base + path,
            json={"jsonrpc": "2.0", "method": "call", "params": params},
            timeout=TIMEOUT,
        ).json()
        self.assertNotIn("error", answer)
        return answer["result"]

    def call_method(self, session, record, method):
        """Call a method of a record as the web client does."""
        return self.call(
            session,
            "/web/dataset/call_kw",
            {
                "model": record._name,
                "method": method,
                "args": [record.ids],
                "kwargs": {},
            },
        )

    def rpc(self, user):
        """A function ``execute(model, method, *args, **kwargs)`` over XML-RPC."""
        self.cr.commit()
        common = xmlrpc.client.ServerProxy(self.base + "/xmlrpc/2/common")
        uid = common.authenticate(get_db_name(), user.login, user.login, {})
        self.assertEqual(uid, user.id)
        models = xmlrpc.client.ServerProxy(
            self.base + "/xmlrpc/2/object", allow_none=True
        )

        def execute(model, method, *args, **kwargs):
            return models.execute_kw(
                get_db_name(), uid, user.login, model, method, args, kwargs
            )

        return execute

    # -- consent -----------------------------------------------------------------------

    def begin(self, session, account):
        """Press "Authorize"; returns the address of Google's page."""
        action = self.call_method(session, account, "action_authorize")
        self.assertEqual(action["type"], "ir.actions.act_url")
        return action["url"]

    def follow(self, session, address):
        """Open an address that Google sent the browser back to."""
        return session.get(address, timeout=TIMEOUT, allow_redirects=False)

    def callback(self, session, **params):
        return self.follow(session, "%s?%s" % (self.redirect_uri, urlencode(params)))

    @staticmethod
    def query(address):
        """The parameters of an address, each with its first value."""
        return {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}


@contextlib.contextmanager
def environment(**variables):
    """Set environment variables for a while; None unsets."""
    before = {name: os.environ.get(name) for name in variables}
    _set_environment(variables)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(variables):
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


class Capture(logging.Handler):
    """Every record of every logger at every level, as text."""

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.texts = []

    def emit(self, record):
        """Keep the message, its arguments, extras and traceback."""
        text = self.format(record)
        self.texts.append("%s %s %r" % (record.name, text, record.__dict__))

    def __enter__(self):
        self._levels = []
        names = [None, *logging.root.manager.loggerDict]
        for logger in map(logging.getLogger, names):
            self._levels.append((logger, logger.level, logger.propagate))
            if logger is not logging.root:
                logger.setLevel(logging.NOTSET)
                logger.propagate = True
        logging.root.setLevel(logging.DEBUG)
        self._others = logging.root.handlers[:]
        logging.root.handlers[:] = [self]
        return self

    def __exit__(self, *_exc):
        logging.root.handlers[:] = self._others
        for logger, level, propagate in self._levels:
            logger.setLevel(level)
            logger.propagate = propagate
