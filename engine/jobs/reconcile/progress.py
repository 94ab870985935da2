"""How far a comparison came: kept in its run, so that the next slice goes on there."""

import base64
import time
import zlib
from collections import Counter

from ...content import rows as content_rows
from .difference import RESCUES, Difference

#: Differences, and unused files, that are kept from one slice to the next; what is beyond
#: is found again by the comparison that follows.
KEPT = 5000
GOOD_FOR = 6 * 60 * 60  # seconds; Drive forgets where a list was


class Ids:
    """A set of ids: a bit for each number up to the highest.

    :param str text: what :meth:`dump` gave
    """

    def __init__(self, text=None):
        self._bits = bytearray(zlib.decompress(base64.b64decode(text)) if text else b"")

    def update(self, ids):
        """Add some."""
        for number in ids:
            byte, bit = divmod(number, 8)
            self._bits.extend(bytes(max(0, byte + 1 - len(self._bits))))
            self._bits[byte] |= 1 << bit

    def __contains__(self, number):
        byte, bit = divmod(number, 8)
        return byte < len(self._bits) and bool(self._bits[byte] >> bit & 1)

    def __bool__(self):
        return bool(self._bits)

    def dump(self):
        """:rtype: str"""
        return base64.b64encode(zlib.compress(bytes(self._bits))).decode()


class Progress:
    """What was found in the pages that were compared until now.

    ``token`` stands for the next page, None for the first one; ``seen`` has the ids of the
    attachments whose files were listed; ``unused`` and ``unused_in_trash`` have the metadata
    of files that no attachment uses, the latter of those in the trash of Drive.

    ``counts`` are those of a :class:`~.job.ReconcileJob`; ``is_continued`` tells that there
    was something to go on with.

    :param auth: the account
    :param dict state: what :meth:`dump` gave; of no use when that was too long ago
    """

    def __init__(self, auth, state=None):
        self.is_continued = bool(state) and time.time() - state["at"] < GOOD_FOR
        if not self.is_continued:
            state = {}
        self.counts = Counter(state.get("counts"))
        self.token, self.seen = state.get("token"), Ids(state.get("seen"))
        self.unused = state.get("unused", [])
        self.unused_in_trash = state.get("unused_in_trash", [])
        self.differences = _same_as_then(auth, state.get("differences", []))

    def dump(self):
        """All of it, fit for JSON.

        :rtype: dict
        """
        self.differences.sort(key=lambda one: one.kind not in RESCUES)
        lists = (self.differences, self.unused, self.unused_in_trash)
        counts = Counter(self.counts)
        counts["left"] += sum(max(0, len(found) - KEPT) for found in lists)
        return {
            "at": time.time(),
            "token": self.token,
            "seen": self.seen.dump(),
            "counts": counts,
            "differences": [
                (one.kind, one.file, [row.id for row in one.rows])
                for one in self.differences[:KEPT]
            ],
            "unused": self.unused[:KEPT],
            "unused_in_trash": self.unused_in_trash[:KEPT],
        }


def _same_as_then(auth, differences):
    """The differences, as far as they are about the same files as then."""
    ids = {row_id for _kind, _file, row_ids in differences for row_id in row_ids}
    if not ids:
        return []
    rows = content_rows.select(auth.env, auth, "id IN %s", tuple(ids))
    by_id, found = {row.id: row for row in rows}, []
    for kind, file, row_ids in differences:
        same = [by_id[row_id] for row_id in row_ids if row_id in by_id]
        same = [row for row in same if row.cloud_file_id == file["id"]]
        if same:
            found.append(Difference(kind, file, same))
    return found
