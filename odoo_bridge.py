"""What Odoo 14 needs and 15 does not, in one place."""
import contextlib

from odoo import api, release

OLD = release.version_info[0] < 15


def environments():
    """A context in which a new thread may make environments.

    Odoo 14 keeps them per thread (``odoo/api.py``, ``Environment.manage``).
    """
    if OLD:
        return api.Environment.manage()
    return contextlib.suppress()


@contextlib.contextmanager
def fresh_environment(env):
    """``env`` in superuser mode, in a transaction that begins now, with its own cache."""
    with env.registry.cursor() as cr, _own_cache():
        yield api.Environment(cr, env.uid, env.context, su=True)


@contextlib.contextmanager
def _own_cache():
    """Odoo 14 has one cache for all cursors of a thread."""
    if not OLD:
        yield
        return
    local = api.Environment._local
    before = local.environments
    local.environments = api.Environments()
    try:
        yield
    finally:
        local.environments = before
