"""What the crons do with their time: what waits, and each night a run for everybody."""

from odoo import fields

from .. import candidates, runner
from ..outbox.deliver import deliver


def work_in_turn(env, configs, limit=None):
    """One slice: what Drive has to learn, runs that wait, new runs of ``configs``.

    What does not fit goes on in the next slice.

    :param int limit: most files of each of the new runs; None for all
    :return: see ``automatic_sync`` of the service
    :rtype: dict
    """
    deadline = runner.slice_deadline()
    deliver(env, deadline)
    runs = runner.waiting_runs(env)
    runs |= create_automatic_runs(configs - runs.config_id, limit)
    runs._offer()
    runner.work_through(runs, deadline)
    remaining = sum(candidates.count_waiting(config) for config in configs)
    env.cr.commit()  # what jobs did meanwhile is in a new snapshot
    runs.invalidate_cache()
    runs.filtered(lambda run: run.state == "queued")._go_on()
    if deadline.over:
        runs._wake_cron()  # for what Drive has to learn yet
    return runs._summary(remaining=remaining)


def started_configs(env):
    """The configurations of which a person started the first sync."""
    started = [
        ("is_active", "=", True),
        ("auto_sync", "=", True),
        ("started_on", "!=", False),
    ]
    return env["cloud_storage.config"].search(started)


def create_automatic_runs(configs, limit=None):
    """A run for each of some configurations, unless Drive takes no more today."""
    runs, now = configs.env["cloud_storage.sync.run"], fields.Datetime.now()
    for config in configs:
        auth = config.auth_id
        is_paused = config.paused_until and config.paused_until > now
        if auth.is_active and auth.state != "draft" and not is_paused:
            runs |= runner.create_run(config, "automatic", limit or 0)
    return runs
