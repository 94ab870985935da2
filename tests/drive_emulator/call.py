"""One call of a Drive method: what every method needs to know of its request."""
from errors import DriveError
from http_message import json_response
from schema import parse_json
from selector import apply, names
from uploads import METADATA_LIMIT


class Call:
    """One checked call of a method: by whom, with what, and what is to be shown."""

    def __init__(self, api, request, method, arguments, caller, values):
        self._api = api
        self._method = method
        self.request = request
        self.arguments = arguments
        self.caller = caller
        self.values = values
        self.file = None
        self.tree = api.tree(values.get("fields"), method)

    def body(self):
        """The checked JSON body.

        :raises DriveError: 400 for no JSON or a wrong type
        """
        data = self.request.body.read(METADATA_LIMIT)
        if data is None:
            raise DriveError(413, "uploadTooLarge", "Request Too Large")
        if data and self.request.content_type() not in ("application/json", ""):
            raise DriveError(400, "badContent", "Unsupported content with type")
        body = parse_json(data)
        self.check_body(body)
        return body

    def check_body(self, body):
        """Hold a body against the schema of the method."""
        schema = self._api.discovery.method(self._method)["request"]["$ref"]
        self._api.discovery.check_body(schema, body)

    def need_writer(self):
        """Refuse callers who may only read the file."""
        self._api.library.access.need(self.file, self.caller, "writer")

    @property
    def add_parents(self):
        """Ids of folders to move the file to."""
        return _ids(self.values.get("addParents"))

    @property
    def remove_parents(self):
        """Ids of folders to take the file from."""
        return _ids(self.values.get("removeParents"))

    def caller_record(self):
        """The caller as a session remembers it."""
        return {
            "email": self.caller.email,
            "client_id": self.caller.client_id,
            "scopes": self.values["scopes"],
            "all_drives": self.caller.all_drives,
        }

    def answer(self, document):
        """The answer with the selected fields."""
        return json_response(apply(self.tree, document))

    def answer_file(self, file):
        """The answer with the selected fields of a file."""
        shown = self._api.shown.show(file, self.caller, names(self.tree))
        return self.answer(shown)


def _ids(text):
    return [one.strip() for one in (text or "").split(",") if one.strip()]
