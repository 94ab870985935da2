"""What Odoo 14 needs and 15 does not, and nothing else."""

import contextlib
import functools

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


def wake_cron(cron):
    """Have a cron run soon, once this transaction is committed; waits for nobody.

    Odoo 14 can not trigger a cron, so its next call is moved, in a transaction of its own:
    the row is Odoo's, who holds a lock on it while the cron runs. Such a cron is left alone;
    ``models/odoo/ir_cron.py`` has it look for more afterwards.
    """
    if OLD:
        cr = cron.env.cr
        cr.postcommit.add(functools.partial(_call_now, cron.env.registry, cron.id))
    else:
        cron._trigger()


def _call_now(registry, cron_id):
    with registry.cursor() as cr:
        cr.execute(
            "UPDATE ir_cron SET nextcall = date_trunc('second', now() AT TIME ZONE 'UTC')"
            " WHERE id IN (SELECT id FROM ir_cron WHERE id = %s"
            " AND nextcall > now() AT TIME ZONE 'UTC' FOR UPDATE SKIP LOCKED)",
            (cron_id,),
        )
