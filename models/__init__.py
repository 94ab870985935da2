# isort: skip_file
# The order counts: a model comes before those that inherit from it.
from . import odoo
from . import account
from . import sync
from . import config
from . import cloud_storage_trash
from . import cloud_storage_unused_file
from . import cloud_storage_sync_run_work
from . import cloud_storage_lost_content
from . import cloud_storage_restore_relink
from . import cloud_storage_reconcile
from . import cloud_storage_invariants
from . import attachment
from . import insight
