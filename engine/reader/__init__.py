"""Content of attachments, wherever it is: this server, memory, disk, Drive, a sibling.

The same for who wants all of it (the ORM), who wants a part of it as a stream (the proxy),
and who wants it back on this server (a restore).
"""
