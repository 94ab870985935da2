"""The emulator as a whole: OAuth, Drive and control side by side on one address."""
from batch import Batch
from control import PREFIX, Control, front_page, not_found
from drive_api import DriveApi
from faults import Faults
from oauth import OAuth
from schema import load
from store import Store
from traffic import Traffic

CONSENT = "/o/oauth2/v2/auth"


class App:
    """Wires the parts together and finds who answers a request.

    :param str directory: where the state is kept
    :param bool durable: survive restarts
    """

    def __init__(self, directory, durable):
        discovery = load()
        self.base_url = None
        self.latency_ms = 0
        self.store = Store(directory, durable)
        self.faults = Faults()
        self.traffic = Traffic()
        self.oauth = OAuth(self.store, discovery)
        self.drive = DriveApi(self.store, discovery, self.oauth.accounts)
        self._control = Control(self)
        self._pages = {
            ("GET", CONSENT): (None, self.oauth.show_consent),
            ("POST", CONSENT): (None, self.oauth.take_consent),
            ("POST", "/token"): ("token", self.oauth.token),
            ("POST", "/revoke"): ("revoke", self.oauth.revoke),
            ("POST", "/batch/drive/v3"): ("batch", Batch(self).answer),
            ("GET", "/"): (None, front_page),
        }

    def find(self, request):
        """What handles a request; its route is named unless it is not logged."""
        if request.path.startswith(PREFIX):
            return self._control.find(request)
        page = self._pages.get((request.method, request.path))
        if page:
            request.route = page[0]
            return page[1]
        return self.drive.find(request) or not_found
