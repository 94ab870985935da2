"""TCP ports on the loopback address."""
import socket

HOST = "127.0.0.1"


def free(preferred=0):
    """A port nobody listens on: the preferred one, else any other.

    :param int preferred: 0 for any
    :rtype: int
    """
    for port in (preferred, 0):
        with socket.socket() as probe:
            # as a server would: ports in TIME_WAIT count as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise OSError("no free port on %s" % HOST)
