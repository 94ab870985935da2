"""Single files, chosen by a person or a call: they go now, as far as the rules let them."""

from odoo import SUPERUSER_ID

from .. import candidates, runner
from ..content import checksums


def sync_chosen(config, attachments):
    """Sync these attachments now; the whitelists hold.

    The reason why a file may not go is on its row of the log.

    :return: those that are in the cloud afterwards
    :raises UserError: the account can not be used
    """
    env = config.env
    todo = attachments.sudo().filtered(lambda a: a.cloud_sync_status != "synced")
    checksums.measure(env, todo.ids)
    reasons = candidates.reasons_to_stay(todo, config)
    _log_skipped(config, reasons)
    ids = [attachment.id for attachment in todo if attachment not in reasons]
    env.cr.commit()  # what the caller wrote is part of what is synced
    if ids:
        server = todo.with_user(SUPERUSER_ID)
        server.filtered("cloud_next_attempt").write({"cloud_next_attempt": False})
        run = runner.new_run(
            config, "single", ids=sorted(ids), chosen_for=config.auth_id.id
        )
        runner.work(run, runner.call_deadline())
    attachments.invalidate_cache()
    return attachments.filtered(lambda a: a.cloud_sync_status == "synced")


def _log_skipped(config, reasons):
    rows = [
        {
            "sync_type": "single",
            "status": "skipped",
            "attachment_id": attachment.id,
            "file_name": attachment.name,
            "model_name": attachment.res_model,
            "record_id": attachment.res_id,
            "file_size_bytes": attachment.file_size,
            "error_message": reason,
            "config_id": config.id,
        }
        for attachment, reason in reasons.items()
    ]
    config.env["cloud_storage.sync.log"]._append(rows)
