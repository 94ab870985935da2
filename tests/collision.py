"""Two contents of one size with one md5 and different sha1.

The pair is the one published by X. Wang, D. Feng, X. Lai and H. Yu in 2004. A common
tail leaves the md5 equal, since 128 bytes are whole blocks of md5.
"""
import re

_ONE = """
    d131dd02c5e6eec4693d9a0698aff95c2fcab58712467eab4004583eb8fb7f89
    55ad340609f4b30283e488832571415a085125e8f7cdc99fd91dbdf280373c5b
    d8823e3156348f5bae6dacd436c919c6dd53e2b487da03fd02396306d248cda0
    e99f33420f577ee8ce54b67080a80d1ec69821bcb6a8839396f9652b6ff72a70
"""
_OTHER = """
    d131dd02c5e6eec4693d9a0698aff95c2fcab50712467eab4004583eb8fb7f89
    55ad340609f4b30283e4888325f1415a085125e8f7cdc99fd91dbd7280373c5b
    d8823e3156348f5bae6dacd436c919c6dd53e23487da03fd02396306d248cda0
    e99f33420f577ee8ce54b67080280d1ec69821bcb6a8839396f965ab6ff72a70
"""
#: 128 bytes each.
PAIR = tuple(bytes.fromhex(re.sub(r"\s", "", text)) for text in (_ONE, _OTHER))


def pair(tail=b""):
    """Both contents with a common end.

    :rtype: tuple[bytes, bytes]
    """
    return PAIR[0] + tail, PAIR[1] + tail
