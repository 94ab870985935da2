"""Which attachments may go to the cloud, and why the others may not.

One truth: an ordered list of clauses, each a domain with its reason. All of them together
select candidates; the first that an attachment fails explains why it stays.
"""
import mimetypes
from collections import namedtuple

from odoo import _, api, models
from odoo.osv import expression

from ..utils.filenames import DOUBLE_EXTENSIONS

#: ``domain`` holds for attachments that pass; ``reason`` tells why one that does not stays.
Clause = namedtuple("Clause", "reason domain")
MB = 1024 * 1024
WINDOW = 1000  # rows that one query looks through


class CloudStorageSyncService(models.AbstractModel):
    _name = "cloud_storage.sync.service"
    _description = "Cloud Storage Sync Service"
    _inherit = "cloud_storage.mixin"

    @api.model
    def _clauses(self, config, with_state=True):
        """What an attachment must fulfil, in the order in which to explain.

        :param bool with_state: also that it is not synced, and not waiting to retry
        :rtype: list[Clause]
        """
        clauses = self._content_clauses() + [
            Clause(
                _("%s is not one of the models to sync, or its record is filtered out"),
                expression.OR(
                    [self._rule_domain(rule) for rule in self._active_rules(config)]
                    or [expression.FALSE_DOMAIN]
                ),
            )
        ]
        clauses += self._file_type_clauses(config)
        clauses.append(
            Clause(
                _("It is smaller than the smallest size to sync"),
                self._min_size_domain(config),
            )
        )
        if with_state:
            clauses += self._state_clauses()
        return clauses

    @api.model
    def _content_clauses(self):
        no_url = expression.AND(
            [[("type", "=", "binary")], ["|", ("url", "=", False), ("url", "=", "")]]
        )
        return [
            Clause(
                _("It is a file of the system, not of a record"),
                ["&", ("res_model", "!=", False), "!", ("res_model", "=like", "ir.%")],
            ),
            Clause(
                _("It is a link, or served at an address of its own"),
                # synced before and set to local by hand: the link is ours
                expression.OR([no_url, [("cloud_file_id", "!=", False)]]),
            ),
            Clause(_("It is pinned: keep local"), [("cloud_keep_local", "=", False)]),
            Clause(
                _("Its content is missing on this server"),
                expression.OR(
                    [
                        [("file_size", "=", False)],
                        [("file_size", "=", 0)],
                        [("store_fname", "!=", False)],
                        [("db_datas", "!=", False)],
                    ]
                ),
            ),
        ]

    @api.model
    def _state_clauses(self):
        return [
            Clause(
                _("It is in the cloud already, or on its way"),
                [("cloud_sync_status", "in", ("local", "error"))],
            ),
            Clause(
                _("It failed several times: the next try is due later"),
                expression.OR(
                    [
                        [("cloud_next_attempt", "=", False)],
                        [("cloud_next_attempt", "<=", self._utcnow())],
                    ]
                ),
            ),
        ]

    @api.model
    def _active_rules(self, config):
        """The model rules in force: their model, and their filter's fields, exist."""
        return config.model_config_ids.filtered(
            lambda rule: rule.is_active and not rule.problem
        )

    @api.model
    def _rule_domain(self, rule):
        """Attachments that a model rule covers."""
        domain = [
            ("res_model", "=", rule.model_name),
            ("res_field", "=", rule.attachment_field or False),
        ]
        records = rule._get_record_domain()
        if records:
            model = self.env[rule.model_name].sudo().with_context(active_test=False)
            domain.append(("res_id", "in", model._search(records)))
        return domain

    @api.model
    def _file_type_clauses(self, config):
        types = config.file_type_ids.filtered("is_active")
        listed = set(types.mapped(lambda t: t.extension or ""))
        matches = [self._extension_domain(ext, listed) for ext in sorted(listed)]
        limited = types.filtered("max_size_mb")
        return [
            Clause(
                _("Its file type is not one of those to sync"),
                expression.OR(matches or [expression.FALSE_DOMAIN]),
            ),
            Clause(
                _("It is larger than its file type may be"),
                expression.AND(
                    [
                        ["!"]
                        + expression.normalize_domain(
                            self._too_large_domain(file_type, listed)
                        )
                        for file_type in limited
                    ]
                    or [expression.TRUE_DOMAIN]
                ),
            ),
        ]

    @api.model
    def _too_large_domain(self, file_type, listed):
        limit = int(file_type.max_size_mb * MB)
        return expression.AND(
            [
                self._extension_domain(file_type.extension or "", listed),
                [("file_size", ">", limit)],
            ]
        )

    @api.model
    def _extension_domain(self, extension, listed):
        """Attachments with an extension; a listed double one wins over its last part.

        The files of a binary field are named after the field, so there the media type
        counts.
        """
        by_name = [("res_field", "=", False)]
        if not extension:
            return by_name + ["!", ("name", "=like", "%.%")]
        by_name.append(("name", "=ilike", "%." + _like(extension)))
        for double in DOUBLE_EXTENSIONS & listed:
            if double.endswith("." + extension):
                by_name += ["!", ("name", "=ilike", "%." + _like(double))]
        mimetype = mimetypes.guess_type("x." + extension)[0]
        if not mimetype:
            return by_name
        by_type = [("res_field", "!=", False), ("mimetype", "=", mimetype)]
        return expression.OR(
            [expression.normalize_domain(by_name), expression.normalize_domain(by_type)]
        )

    @api.model
    def _min_size_domain(self, config):
        smallest = int(config.min_file_size_kb * 1024)
        return [("file_size", ">=", smallest)] if smallest else expression.TRUE_DOMAIN

    # -- asking --------------------------------------------------------------------------

    @api.model
    def _candidate_domain(self, config, with_state=True):
        """The attachments that would go now, as one domain."""
        return expression.AND(
            [clause.domain for clause in self._clauses(config, with_state)]
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
    def _count_candidates(self, config):
        return self._attachments().search_count(
            [("id", "!=", 0)] + self._candidate_domain(config)
        )

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
        ``ir_attachment_cloud_todo_idx``; so a call costs the same however large the table
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
            "  AND cloud_sync_status IN ('local', 'error') AND type = 'binary'"
            "  AND id > %%s ORDER BY id LIMIT %%s)"
            " SELECT (SELECT max(id) FROM rows_ahead), (SELECT count(*) FROM rows_ahead),"
            " ARRAY(SELECT id FROM rows_ahead AS ir_attachment WHERE %s)" % where,
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
    def _count_states(self, config):
        """Files per state for the counters of a configuration."""
        domain = [("cloud_auth_id", "=", config.auth_id.id), ("id", "!=", 0)]
        count = self._attachments().search_count
        rules = [
            [
                ("res_model", "=", rule.model_name),
                ("res_field", "=", rule.attachment_field or False),
            ]
            for rule in self._active_rules(config)
        ]
        covered = expression.OR(rules or [expression.FALSE_DOMAIN])
        return {
            "pending": self._count_candidates(config),
            "synced": count(domain + [("cloud_sync_status", "=", "synced")]),
            "errors": count(
                expression.AND(
                    [[("id", "!=", 0), ("cloud_sync_status", "=", "error")], covered]
                )
            ),
        }

    @api.model
    def _utcnow(self):
        return self.env["ir.attachment"]._fields["create_date"].now()


def _like(text):
    """Escape what has a meaning in a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
