"""The discovery document of Drive v3: which parameters and fields there are.

It is the one google-api-python-client ships, so a request that this refuses is one
that Google's own description of the API does not allow (page "Google API Discovery
Service" and the JSON-schema types it uses).
"""
import importlib.util
import json
import os
import re

from errors import DriveError, invalid

DOCUMENT = ("discovery_cache", "documents", "drive.v3.json")
SCOPE_PREFIX = "https://www.googleapis.com/auth/"
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)?\Z"
)
INTEGER = re.compile(r"-?\d+\Z")
UPLOAD_PARAMETERS = {"upload_id": {"type": "string"}}


class Discovery:
    """Methods, parameters, scopes and schemas of Drive v3."""

    def __init__(self, document):
        self.document = document
        self.schemas = document["schemas"]
        self._common = document["parameters"]
        self._methods = {}
        for resource in document["resources"].values():
            for method in resource["methods"].values():
                self._methods[method["id"]] = method

    def method(self, name):
        """The description of a method such as ``files.get``."""
        return self._methods["drive." + name]

    def scopes(self, name):
        """The scopes that allow a method, without their common prefix."""
        return {scope[len(SCOPE_PREFIX) :] for scope in self.method(name)["scopes"]}

    def response(self, name):
        """The name of the schema a method answers with, or None."""
        return self.method(name).get("response", {}).get("$ref")

    def query(self, name, pairs):
        """Typed query parameters of a call, with the documented defaults.

        :raises DriveError: 400 for unknown, repeated or ill-typed ones
        """
        known = dict(UPLOAD_PARAMETERS, **self._common)
        known.update(self.method(name).get("parameters", {}))
        values = {}
        for key, text in pairs:
            description = known.get(key)
            if description is None or description.get("location") == "path":
                message = 'Unknown name "%s": Cannot bind query parameter.' % key
                raise DriveError(400, "badRequest", message, key)
            if key in values and not description.get("repeated"):
                raise DriveError(400, "invalidParameter", "Parameter repeated", key)
            values[key] = _typed(key, text, description)
        for key, description in known.items():
            if "default" in description and key not in values:
                values[key] = _typed(key, description["default"], description)
        return values

    def check_body(self, schema_name, body):
        """Hold a request body against its schema; unknown fields are passed over.

        :raises DriveError: 400 when a known field has a value of a wrong type
        """
        self._check({"$ref": schema_name}, body, "")

    def read_only(self, schema_name):
        """The fields of a schema that a client may not set."""
        return {
            name
            for name, description in self.schemas[schema_name]["properties"].items()
            if description.get("description", "").startswith("Output only")
        }

    def _check(self, description, value, path):
        if "$ref" in description:
            description = self.schemas[description["$ref"]]
        if value is None:
            return
        kind = description.get("type", "any")
        if not _fits(kind, description.get("format"), value):
            message = "Invalid value for: %s" % (path or "body")
            raise DriveError(400, "invalid", message, path or None, "body")
        if kind == "array":
            for item in value:
                self._check(description["items"], item, path)
        if kind == "object":
            rest = description.get("additionalProperties")
            for key, item in value.items():
                inner = description.get("properties", {}).get(key, rest)
                if inner is not None:
                    self._check(inner, item, "%s.%s" % (path, key) if path else key)


def _fits(kind, form, value):
    if kind == "string":
        return isinstance(value, str) and (
            form != "date-time" or bool(TIME.match(value))
        )
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    python_type = {"boolean": bool, "array": list, "object": dict}.get(kind, object)
    return isinstance(value, python_type)


def _typed(key, text, description):
    kind = description["type"]
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            message = "Invalid boolean value: '%s'." % text
            raise DriveError(400, "invalidParameter", message, key)
        return text.lower() == "true"
    if kind == "integer":
        return _integer(key, text, description)
    if "enum" in description and text not in description["enum"]:
        allowed = ", ".join(description["enum"])
        message = "Invalid string value: '%s'. Allowed values: [%s]" % (text, allowed)
        raise DriveError(400, "invalidParameter", message, key)
    return text


def _integer(key, text, description):
    if not INTEGER.match(text):
        message = "Invalid integer value: '%s'." % text
        raise DriveError(400, "invalidParameter", message, key)
    value = int(text)
    low, high = description.get("minimum"), description.get("maximum")
    if (low and value < int(low)) or (high and value > int(high)):
        message = "Invalid value '%s'. Values must be within the range: [%s, %s]"
        raise DriveError(400, "invalidParameter", message % (text, low, high), key)
    return value


def load():
    """The discovery document shipped with google-api-python-client.

    :raises RuntimeError: when that library is not installed
    """
    spec = importlib.util.find_spec("googleapiclient")
    if spec is None:
        raise RuntimeError("google-api-python-client is not installed")
    path = os.path.join(list(spec.submodule_search_locations)[0], *DOCUMENT)
    with open(path, encoding="utf-8") as stream:
        return Discovery(json.load(stream))


def parse_json(data, limit_message="Parse Error"):
    """A JSON object from bytes; nothing at all counts as an empty one.

    :raises DriveError: 400 parseError
    """
    if not data:
        return {}
    try:
        value = json.loads(data.decode())
    except ValueError as err:
        raise DriveError(400, "parseError", limit_message) from err
    if not isinstance(value, dict):
        raise DriveError(400, "parseError", limit_message)
    return value


def need(values, name):
    """A parameter that may not be missing.

    :raises DriveError: 400 required
    """
    value = values.get(name)
    if value in (None, ""):
        raise DriveError(400, "required", "Required parameter: %s" % name, name)
    return value


def one_of(values, name, allowed):
    """A parameter with a closed set of values that the document only describes.

    :raises DriveError: 400 invalid
    """
    value = values.get(name)
    if value is not None and value not in allowed:
        raise invalid(name, value)
    return value
