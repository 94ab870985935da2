"""The log of requests: what was asked, how it ended, and how many bytes moved.

An entry is made before the answer is sent and filled in while bytes move, so a
client that has its answer finds its request here.
"""
import time

KEPT = 200000  # entries; older ones go in one piece


class Traffic:
    """Requests since the last clear, and the media answers under way."""

    def __init__(self):
        self._entries = []
        self._media = set()

    def open(self, route, method, path, batched=False):
        """Start the entry of one request and return it (a dict to fill in).

        :param bool batched: it is a part of another request
        """
        entry = {
            "route": route,
            "method": method,
            "path": path,
            "status": None,
            "bytes_in": 0,
            "bytes_out": 0,
            "batched": batched,
            "time": time.time(),
        }
        entries = self._entries
        entries.append(entry)
        if len(entries) > KEPT:
            self._entries = entries[KEPT // 2 :]
        return entry

    def entries(self, route=None):
        """The entries as they are now, of one route or of all."""
        return [one for one in list(self._entries) if route in (None, one["route"])]

    def clear(self):
        """Forget every entry."""
        self._entries = []

    def media_started(self, entry):
        """Count a media answer as under way."""
        self._media.add(id(entry))

    def media_ended(self, entry):
        """The media answer is over, whole or not."""
        self._media.discard(id(entry))

    def media_open(self):
        """How many media answers are being written right now."""
        return len(self._media)
