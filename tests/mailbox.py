"""A real SMTP server for the tests."""
import asyncore
import email
import email.policy
import smtpd
import threading


class Mailbox(smtpd.SMTPServer):
    """An SMTP server that keeps what it is given."""

    def __init__(self):
        self.sockets, self.messages = {}, []
        super().__init__(("127.0.0.1", 0), None, map=self.sockets)
        self.port = self.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while self.sockets:
            asyncore.loop(timeout=0.1, map=self.sockets, count=1)

    def process_message(self, peer, mailfrom, rcpttos, data, **_options):
        """Take a message."""
        self.messages.append(email.message_from_bytes(data, policy=email.policy.default))

    def stop(self):
        """Close and wait for the thread."""
        self.close()
        for channel in list(self.sockets.values()):
            channel.close()
        self._thread.join(10)
