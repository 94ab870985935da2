"""One class per kind of run."""

from .migrate import MigrateJob
from .reconcile.job import ReconcileJob
from .restore import restore_job
from .upload import UploadJob

#: What works on a run, by its ``sync_type``: called with the run and a deadline, gives a
#: :class:`~.base.Job`. Other addons extend ``cloud_storage.sync.service._jobs``.
JOBS = {
    "manual": UploadJob,
    "automatic": UploadJob,
    "single": UploadJob,
    "restore": restore_job,
    "migrate": MigrateJob,
    "reconcile": ReconcileJob,
}
