"""Partial responses: the ``fields`` parameter, parsed and applied.

Grammar (page "Return specific fields" of the Drive guides): a comma-separated list of
paths; ``a/b`` is field b of a; ``a(b,c)`` several; ``*`` every field. Each name must
exist in the schema of the answer.
"""
import re
from functools import lru_cache

from errors import DriveError

TOKENS = re.compile(r"[A-Za-z0-9_$-]+|[*(),/]")
ALL = None  # a selection that takes everything below


def _bad(text):
    message = "Invalid field selection %s" % text
    return DriveError(400, "invalidParameter", message, "fields")


class Selector:
    """Compiles selections for the schemas of one discovery document."""

    def __init__(self, schemas):
        self._schemas = schemas
        self.compile = lru_cache(maxsize=4096)(self._compile)

    def _compile(self, text, schema_name):
        """The selection as nested dicts; None selects everything.

        :raises DriveError: 400 for bad grammar or an unknown field
        """
        tokens = TOKENS.findall(text)
        if "".join(tokens) != re.sub(r"\s+", "", text) or not tokens:
            raise _bad(text)
        tokens.append("")
        position, tree = self._list(tokens, 0, {"$ref": schema_name}, text)
        if tokens[position] != "":
            raise _bad(text)
        return tree

    def _list(self, tokens, position, schema, text):
        tree = {}
        while True:
            position, name, below = self._path(tokens, position, schema, text)
            tree[name] = _merged(tree[name], below) if name in tree else below
            if tokens[position] != ",":
                break
            position += 1
        if "*" not in tree:
            return position, tree
        if tree["*"] is ALL:
            return position, ALL
        return position, tree

    def _path(self, tokens, position, schema, text):
        name = tokens[position]
        if not name or name in "(),/":
            raise _bad(text)
        inner = self._inner(schema, name)
        position += 1
        if tokens[position] == "/":
            position, below_name, below = self._path(tokens, position + 1, inner, text)
            whole = below_name == "*" and below is ALL
            return position, name, ALL if whole else {below_name: below}
        if tokens[position] != "(":
            return position, name, ALL
        position, tree = self._list(tokens, position + 1, inner, text)
        if tokens[position] != ")":
            raise _bad(text)
        return position + 1, name, tree

    def _inner(self, schema, name):
        while "$ref" in schema or schema.get("type") == "array":
            ref = schema.get("$ref")
            schema = self._schemas[ref] if ref else schema["items"]
        if name == "*":
            return schema
        properties = schema.get("properties", {})
        if name in properties:
            return properties[name]
        if "additionalProperties" in schema:
            return schema["additionalProperties"]
        raise _bad(name)


def _merged(one, other):
    if one is ALL or other is ALL:
        return ALL
    merged = dict(one)
    for name, below in other.items():
        merged[name] = _merged(merged[name], below) if name in merged else below
    return merged


def apply(tree, value):
    """The part of a JSON value that a compiled selection takes."""
    if tree is ALL:
        return value
    if isinstance(value, list):
        return [apply(tree, item) for item in value]
    if not isinstance(value, dict):
        return value
    if "*" in tree:
        return {
            name: apply(tree.get(name, tree["*"]), item) for name, item in value.items()
        }
    return {
        name: apply(below, value[name]) for name, below in tree.items() if name in value
    }


def names(tree):
    """The top-level names a selection takes, or None for all."""
    return None if tree is ALL or "*" in tree else set(tree)
