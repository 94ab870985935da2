"""Keeping Odoo and Drive true to each other.

:mod:`.compare` finds the differences of an account, :mod:`.repair` mends or flags them one
by one, :mod:`.job` says in which order and when it is enough, :mod:`.accounts` takes one
account after the other.
"""
