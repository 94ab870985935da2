"""The query language of ``files.list``.

Terms and operators: page "Search query terms and operators"; grammar: page "Search for
files and folders" of the Drive guides. ``and`` and ``or`` are taken from left to
right, as that page says. Anything else is refused.
"""
import re
from datetime import datetime, timedelta, timezone

from errors import DriveError
from schema import TIME

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<sign><=|>=|!=|=|<|>|\(|\)|\{|\})"
    r"|(?P<word>[A-Za-z][A-Za-z.]*))",
    re.S,
)
ESCAPE = re.compile(r"\\(.)", re.S)
EQUALITY = ("=", "!=")
ORDER = ("=", "!=", "<", "<=", ">", ">=")
TEXT_FIELDS = {
    "name": EQUALITY + ("contains",),
    "mimeType": EQUALITY + ("contains",),
    "fullText": ("contains",),
    "visibility": EQUALITY,
}
TIME_FIELDS = ("modifiedTime", "createdTime", "viewedByMeTime", "sharedWithMeTime")
FLAG_FIELDS = ("trashed", "starred", "sharedWithMe")
SET_FIELDS = ("parents", "owners", "writers", "readers")
MAP_FIELDS = ("appProperties", "properties")
WORD_START = re.compile(r"[^\W_]+", re.U)


def _bad():
    return DriveError(400, "invalid", "Invalid Value", "q")


def _tokens(text):
    found, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = TOKEN.match(text, position)
        if not match:
            raise _bad()
        found.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    found.append(("end", ""))
    return found


def _unescaped(quoted):
    for escaped in ESCAPE.findall(quoted):
        if escaped not in "'\\":
            raise _bad()
    return ESCAPE.sub(r"\1", quoted[1:-1])


def timestamp(text):
    """Seconds since the epoch of an RFC 3339 time; UTC when it names no zone.

    :raises ValueError: when it is none
    """
    match = TIME.match(text)
    if not match:
        raise ValueError("not a time: %s" % text)
    parts = [int(part) for part in match.groups()[:6]]
    moment = datetime(*parts, tzinfo=timezone.utc)
    zone = match.group(8)
    if zone and zone != "Z":
        shift = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        moment -= shift if zone[0] == "+" else -shift
    return moment.timestamp() + float(match.group(7) or 0)


class Query:
    """A parsed query: a test of a file, and the parents it names.

    The test is ``matches(view)``, where ``view(name)`` gives a value of the file: a
    string, a flag, seconds, a set or a dict, as the term needs.

    :raises DriveError: 400 invalid for anything that is not understood
    """

    def __init__(self, text):
        self.parents = []
        self._tokens = _tokens(text)
        self._position = 0
        self.matches = self._expression()
        if self._next()[0] != "end":
            raise _bad()

    def _peek(self):
        return self._tokens[self._position]

    def _next(self):
        token = self._tokens[self._position]
        self._position += token[0] != "end"
        return token

    def _want(self, kind, value=None):
        token = self._next()
        if token[0] != kind or value not in (None, token[1]):
            raise _bad()
        return token[1]

    def _expression(self):
        left = self._factor()
        while self._peek() in (("word", "and"), ("word", "or")):
            word = self._next()[1]
            left = _both(word, left, self._factor())
        return left

    def _factor(self):
        kind, value = self._next()
        if (kind, value) == ("word", "not"):
            inner = self._factor()
            return lambda view: not inner(view)
        if (kind, value) == ("sign", "("):
            inner = self._expression()
            self._want("sign", ")")
            return inner
        if kind == "text":
            return self._membership(_unescaped(value))
        if kind == "word":
            return self._term(value)
        raise _bad()

    def _membership(self, item):
        self._want("word", "in")
        name = self._want("word")
        if name not in SET_FIELDS:
            raise _bad()
        if name == "parents":
            self.parents.append(item)
        return lambda view: view("alias")(item) in view(name)

    def _term(self, name):
        if name in MAP_FIELDS:
            return self._has(name)
        sign = self._next()[1]
        if name in TEXT_FIELDS and sign in TEXT_FIELDS[name]:
            return _text_test(name, sign, _unescaped(self._want("text")))
        if name in TIME_FIELDS and sign in ORDER:
            return self._time_test(name, sign)
        if name in FLAG_FIELDS and sign in EQUALITY:
            word = self._want("word")
            if word not in ("true", "false"):
                raise _bad()
            wanted = (word == "true") == (sign == "=")
            return lambda view: view(name) == wanted
        raise _bad()

    def _time_test(self, name, sign):
        try:
            moment = timestamp(_unescaped(self._want("text")))
        except ValueError as err:
            raise _bad() from err
        return lambda view: view(name) is not None and _compare(
            sign, view(name), moment
        )

    def _has(self, name):
        self._want("word", "has")
        self._want("sign", "{")
        key = self._entry("key")
        self._want("word", "and")
        value = self._entry("value")
        self._want("sign", "}")
        return lambda view: view(name).get(key) == value

    def _entry(self, name):
        self._want("word", name)
        self._want("sign", "=")
        return _unescaped(self._want("text"))


def _both(word, left, right):
    if word == "and":
        return lambda view: left(view) and right(view)
    return lambda view: left(view) or right(view)


def _text_test(name, sign, wanted):
    if sign == "=":
        return lambda view: view(name) == wanted
    if sign == "!=":
        return lambda view: view(name) != wanted
    if name == "mimeType":
        return lambda view: view(name).startswith(wanted)
    return lambda view: word_prefix(view(name), wanted)


def word_prefix(text, wanted):
    """``contains`` on a name: it matches from the start of a word only."""
    text, wanted = text.casefold(), wanted.casefold()
    if text.startswith(wanted):
        return True
    starts = (match.start() for match in WORD_START.finditer(text))
    return any(text.startswith(wanted, start) for start in starts)


def _compare(sign, one, other):
    if sign in EQUALITY:
        return (one == other) == (sign == "=")
    if sign[0] == "<":
        return one < other or (sign == "<=" and one == other)
    return one > other or (sign == ">=" and one == other)
