from odoo import api, fields, models, tools

#: Measures that no sum or average gives: field -> fraction
PERCENTILES = {"duration_p50": 0.5, "duration_p95": 0.95}


class CloudStorageAccessReport(models.Model):
    """The access log for graphs: how much, how fast, how often without Drive."""

    _name = "cloud_storage.access.report"
    _description = "Cloud Storage Access Analysis"
    _inherit = "cloud_storage.mixin"
    _auto = False
    _order = "access_date desc, id desc"
    _rec_name = "file_name"

    access_date = fields.Datetime("Date", readonly=True)
    user_id = fields.Many2one("res.users", "User", readonly=True)
    attachment_id = fields.Many2one("ir.attachment", "Attachment", readonly=True)
    file_name = fields.Char("File", readonly=True)
    bytes_served = fields.Float("Bytes", digits=(18, 0), readonly=True)
    hit_ratio = fields.Float(
        "Hit Ratio (%)",
        readonly=True,
        group_operator="avg",
        help="Answers with content that needed no byte from Drive.",
    )
    http_status = fields.Char("HTTP Status", readonly=True)
    duration_p50 = fields.Integer(
        "Duration p50 (ms)",
        readonly=True,
        group_operator="avg",
        help="Half of the requests were quicker.",
    )
    duration_p95 = fields.Integer(
        "Duration p95 (ms)",
        readonly=True,
        group_operator="avg",
        help="Nineteen of twenty requests were quicker.",
    )

    def init(self):
        tools.drop_view_if_exists(self.env.cr, self._table)
        self.env.cr.execute(
            """
            CREATE VIEW cloud_storage_access_report AS
            SELECT id, access_date, user_id, attachment_id, file_name, bytes_served,
                   http_status::varchar AS http_status,
                   CASE WHEN bytes_served > 0
                        THEN CASE WHEN cache_hit THEN 100.0 ELSE 0.0 END
                   END AS hit_ratio,
                   duration_ms AS duration_p50,
                   duration_ms AS duration_p95
            FROM cloud_storage_access_log
            """
        )

    @api.model
    def read_group(
        self, domain, fields, groupby, offset=0, limit=None, orderby=False, lazy=True
    ):
        """Give each group its percentiles instead of an average of durations."""
        groups = super().read_group(
            domain, fields, groupby, offset, limit, orderby, lazy
        )
        wanted = {field.partition(":")[0] for field in fields} & PERCENTILES.keys()
        for group in groups if wanted else ():
            group.update(self._percentiles(group.get("__domain", domain), wanted))
        return groups

    def _percentiles(self, domain, names):
        query = self._where_calc(domain)
        self._apply_ir_rules(query, "read")
        tables, condition, params = query.get_sql()
        self.env.cr.execute(
            """
            SELECT percentile_cont(%%s) WITHIN GROUP
                   (ORDER BY cloud_storage_access_report.duration_p50)
            FROM %s WHERE %s
            """
            % (tables, condition or "true"),
            [[PERCENTILES[name] for name in names], *params],
        )
        found = self.env.cr.fetchone()[0] or [0] * len(names)
        return dict(zip(names, map(round, found)))
