"""A logged-in session with a running Odoo, as a browser has one."""
import requests

from .say import Trouble

TIMEOUT = 600  # seconds; a sync answers when it is done


class OdooError(Trouble):
    """Odoo answered a call with an error; ``name`` is the exception's class."""

    def __init__(self, error):
        data = error.get("data", {})
        self.name = data.get("name", "")
        super().__init__("%s: %s" % (self.name, data.get("message", error["message"])))


class OdooSession:
    """Calls methods the way the web client does.

    :param str url: address of the server
    """

    def __init__(self, url):
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False

    def login(self, database, login, password):
        """Log in.

        :raises OdooError: when refused
        """
        self._post(
            "/web/session/authenticate", db=database, login=login, password=password
        )

    def call(self, model, method, *args, **kwargs):
        """Call a model's method.

        :return: its result, as JSON can carry it
        :raises OdooError: with what the method raised
        """
        return self._post(
            "/web/dataset/call_kw/%s/%s" % (model, method),
            model=model,
            method=method,
            args=args,
            kwargs=kwargs,
        )

    def get(self, path, **headers):
        """Fetch a page or file with the session's cookies.

        :param str path: a path on this server, or a whole address
        :rtype: requests.Response
        """
        address = path if path.startswith("http") else self.url + path
        return self.http.get(address, headers=headers, timeout=TIMEOUT)

    def _post(self, path, **params):
        body = {"jsonrpc": "2.0", "method": "call", "params": params}
        answer = self.http.post(self.url + path, json=body, timeout=TIMEOUT)
        answer.raise_for_status()
        content = answer.json()
        if "error" in content:
            raise OdooError(content["error"])
        return content.get("result")
