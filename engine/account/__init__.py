"""An account at Google: what it logs in with, whose it is, and how Drive is reached."""
