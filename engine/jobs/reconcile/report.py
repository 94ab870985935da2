"""What people are told of a comparison: in its run, and by mail where it matters."""

from odoo import _

from ... import runner

#: Parameter with how many attachments lacked their content when it was last mailed.
LACKING_TOLD = "cloud_storage.lacking_told"
NAMED = 10  # attachments without content that a message names


class Report:
    """The numbers and the message of a slice.

    :param job: the :class:`~.job.ReconcileJob`
    :param UnusedFiles unused: what became of files that nobody uses
    """

    def __init__(self, job, unused):
        self.job, self.env, self.run = job, job.env, job.run
        self.counts, self._unused = job.counts, unused

    def write(self):
        """Note in the run what there was, and mail people what they have to know."""
        counts = self.counts
        self.run.write(
            {
                "total_processed": counts["checked"],
                "total_success": self.run.total_success + counts["fixed"],
                "total_missing": counts["missing"],
                "total_errors": counts["errors"],
            }
        )
        self.run.message = " ".join([self._summary()] + self._details())
        self._mail()

    def _summary(self):
        return _(
            "%(checked)s checked, %(fixed)s fixed, %(missing)s missing, %(errors)s"
            " errors.",
            checked=self.run.total_processed,
            fixed=self.run.total_success,
            missing=self.run.total_missing,
            errors=self.run.total_errors,
        )

    def _details(self):
        """Sentences about what there was besides."""
        counts, waiting = self.counts, self._unused.waiting
        counted = [
            (counts["relinked"], _("%s linked again to what was their content.")),
            (waiting, _("%s files that nothing uses wait in Drive.")),
            (counts["gone"], _("%s went to the trash of Drive.")),
            (counts["unknown"], _("%s could not be checked.")),
            (counts["left"], self._left_text()),
        ]
        texts = [text % count for count, text in counted if count]
        return texts + self._kept_text() + self._relink_text()

    def _left_text(self):
        if self.job.out_of_time:
            return _("%s differences are left; the background goes on.")
        return _("%s differences are left for the next comparison.")

    def _kept_text(self):
        lacking = self._unused.lacking
        if not self._unused.kept:
            return []
        ids = ", ".join(map(str, lacking[:NAMED]))
        return [
            _(
                "%(files)s files stay in Drive because %(count)s attachments have no"
                " content: they may be what these lost. Give them a new file or delete"
                " them; their ids: %(ids)s.",
                files=self._unused.kept,
                count=len(lacking),
                ids=ids + (", …" if len(lacking) > NAMED else ""),
            )
        ]

    def _relink_text(self):
        if not self._unused.relink_needed:
            return []
        return [
            _(
                "There are files in Drive of attachments that this database does not"
                " know: was it restored from an old backup? To get them back, call"
                " _relink_from_drive() of cloud_storage.sync.service in a shell."
            )
        ]

    def _mail(self):
        """Mail what people have to know, what stays as it is only once."""
        counts, is_damaged = self.counts, self.job.is_damaged
        is_first = not self.job.params.get("is_rest")
        is_new = self._unused.are_new or counts["relinked"]
        is_new = is_new or counts["left"] and is_first
        # first, as it also notes what was told
        if self._lacking_changed() or is_damaged or is_new:
            subject = _("Cloud Storage: %s has news", self.run.name)
            if is_damaged:
                subject = _("Cloud Storage: %s found damage", self.run.name)
            runner.mail_about(self.run, subject, self.run.message)

    def _lacking_changed(self):
        parameters = self.env["ir.config_parameter"]
        told = parameters.get_param(LACKING_TOLD) or "0"
        count = str(len(self._unused.lacking) if self._unused.kept else 0)
        if count == told:
            return False
        parameters.set_param(LACKING_TOLD, count)
        return count != "0"
