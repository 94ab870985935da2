"""The workshop: a sandbox with a real Odoo, PostgreSQL and Drive emulator.

Run as ``python3 -m dev <command>`` from the repository root (the Makefile does).
Nothing in the addon imports it, and everything it fetches or builds lives in a
cache outside the checkout.
"""
