"""Encryption at rest with Fernet keys, and settings from the environment.

A stored value is ``plain:<text>`` or ``fernet:<token>``. Several keys may be given,
separated by commas or blanks: the first encrypts, all decrypt (``MultiFernet``), which is
how a key is rotated.
"""
import os

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

PLAIN, FERNET = "plain:", "fernet:"


class LostKeyError(Exception):
    """The value was encrypted with a key that is not configured any more."""


def setting(variable, option):
    """The environment's value when set, else the option of the configuration file."""
    return os.environ.get(variable) or option or ""


class Vault:
    """Encrypts and decrypts texts; false when it has no key.

    :param str keys: Fernet keys, the newest first
    :raises ValueError: one of them is not a Fernet key
    """

    def __init__(self, keys=""):
        fernets = [Fernet(key) for key in keys.replace(",", " ").split()]
        self._newest = fernets[0] if fernets else None
        self._all = MultiFernet(fernets) if fernets else None

    def __bool__(self):
        return self._newest is not None

    def encrypt(self, text):
        """Return ``text`` in stored form, encrypted when there is a key."""
        if not self:
            return PLAIN + text
        return FERNET + self._newest.encrypt(text.encode()).decode()

    def decrypt(self, stored):
        """Return the text of a stored value.

        :raises LostKeyError: no configured key opens it
        """
        if not stored.startswith(FERNET):
            return stored[len(PLAIN) :]
        if not self:
            raise LostKeyError("no encryption key is configured")
        try:
            return self._all.decrypt(stored[len(FERNET) :].encode()).decode()
        except InvalidToken as err:
            raise LostKeyError("no configured key opens this value") from err

    def is_stale(self, stored):
        """Whether :meth:`rotate` would change the value for good: it is not under the
        newest key, though a configured key (or none) opens it.
        """
        if not stored.startswith(FERNET):
            return True
        try:
            self._newest.decrypt(stored[len(FERNET) :].encode())
        except InvalidToken:
            return self._opens(stored)
        return False

    def rotate(self, stored):
        """Return the value encrypted with the newest key."""
        return self.encrypt(self.decrypt(stored))

    def _opens(self, stored):
        try:
            self.decrypt(stored)
        except LostKeyError:
            return False
        return True
