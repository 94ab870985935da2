"""Finding the attachments that go next, counting them, explaining the others."""
from odoo import api, models
from odoo.osv import expression

from .row_conditions import WAITING

WINDOW = 1000  # rows that one query looks through


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def _candidate_domain(self, config, with_state=True, reader=None):
        """The attachments that would go now, as one domain."""
        return expression.AND(
            [clause.domain for clause in self._clauses(config, with_state, reader)]
        )

    @api.model
    def _attachments(self):
        """All attachments, those of binary fields and archived records included."""
        return self.env["ir.attachment"].sudo().with_context(active_test=False)

    @api.model
    def _search_attachments(self, domain, **options):
        # a leaf on id keeps ir.attachment from hiding the files of binary fields
        return self._attachments().search([("id", "!=", 0)] + list(domain), **options)

    @api.model
    def _count_candidates(self, config, reader=None):
        domain = self._candidate_domain(config, reader=reader)
        return self._count_attachments(domain)

    @api.model
    def _count_attachments(self, domain):
        """How many attachments a domain means, counted by PostgreSQL.

        Odoo's ``search_count`` on attachments fetches every id, to count those.
        """
        attachments = self._attachments()
        attachments.flush()
        tables, where, params = attachments._where_calc(domain).get_sql()
        self.env.cr.execute(  # pylint: disable=sql-injection
            "SELECT count(*) FROM %s WHERE %s" % (tables, where or "TRUE"), params
        )
        return self.env.cr.fetchone()[0]

    @api.model
    def _reasons_to_stay(self, attachments, config):
        """Why attachments may not go: ``{attachment: reason}``; absent when they may."""
        left, reasons = attachments.sudo(), {}
        for clause in self._clauses(config, with_state=False):
            passed = self._search_attachments(
                expression.AND([[("id", "in", left.ids)], clause.domain])
            )
            for attachment in left - passed:
                reason = clause.reason
                if "%s" in reason:
                    reason = reason % attachment.res_model
                reasons[attachment] = reason
            left &= passed
        return reasons

    @api.model
    def _next_candidates(self, config, after_id, limit):
        """The next candidates above ``after_id``, in order of id.

        Each model rule looks through a window of rows of its own, found in
        ``ir_attachment_cloud_waiting_idx``; so a call costs the same however large the table
        is and whatever the planner believes about the filters.

        :return: ``(ids, up_to)``: all candidates up to the id ``up_to`` are among ``ids``;
            None when there is none beyond
        """
        while True:
            windows = [
                self._look_through_window(rule, config, after_id, limit)
                for rule in self._active_rules(config)
            ]
            ends = [end for _ids, end in windows if end is not None]
            up_to = min(ends) if ends else None
            ids = sorted(i for found, _end in windows for i in found)
            if up_to is not None:
                ids = [i for i in ids if i <= up_to]
            if len(ids) > limit:
                return ids[:limit], ids[limit - 1]
            if ids or up_to is None:
                return ids, up_to
            after_id = up_to

    @api.model
    def _look_through_window(self, rule, config, after_id, limit):
        """Candidates of one rule among its next rows, and where the window ended.

        :return: ``(ids, end)``; ``end`` is None when there are no rows beyond
        """
        size = max(WINDOW, limit)
        where, params = self._window_condition(rule, config)
        self.env.cr.execute(
            "WITH rows_ahead AS (SELECT * FROM ir_attachment WHERE res_model = %%s"
            "  AND type = 'binary' AND %s AND id > %%s ORDER BY id LIMIT %%s)"
            " SELECT (SELECT max(id) FROM rows_ahead), (SELECT count(*) FROM rows_ahead),"
            " ARRAY(SELECT id FROM rows_ahead AS ir_attachment WHERE %s)"
            % (WAITING, where),
            [rule.model_name, after_id, size] + params,
        )
        end, count, ids = self.env.cr.fetchone()
        return ids, end if count == size else None

    @api.model
    def _window_condition(self, rule, config):
        clauses = (
            self._content_clauses()
            + self._file_type_clauses(config)
            + self._state_clauses()
        )
        domain = expression.AND(
            [self._rule_domain(rule), self._min_size_domain(config)]
            + [clause.domain for clause in clauses]
        )
        attachments = self._attachments()
        attachments.flush()
        _tables, where, params = attachments._where_calc(domain).get_sql()
        return where, list(params)

    @api.model
    def _rule_of(self, config, attachment):
        """The model rule that covers an attachment, empty when none does."""
        return self._active_rules(config).filtered(
            lambda rule: rule.model_name == attachment["res_model"]
            and (rule.attachment_field or False) == (attachment["res_field"] or False)
        )[:1]

    @api.model
    def _count_states(self, config, reader=None):
        """Files per state for the counters of a configuration.

        :param reader: ``res.users``: pending are only those whose records this user may
            read
        """
        domain = [("cloud_auth_id", "=", config.auth_id.id)]
        count = self._count_attachments
        rules = [
            [
                ("res_model", "=", rule.model_name),
                ("res_field", "=", rule.attachment_field or False),
            ]
            for rule in self._active_rules(config)
        ]
        covered = expression.OR(rules or [expression.FALSE_DOMAIN])
        return {
            "pending": self._count_candidates(config, reader),
            "synced": count(domain + [("cloud_sync_status", "=", "synced")]),
            "errors": count(
                expression.AND([[("cloud_sync_status", "=", "error")], covered])
            ),
        }
