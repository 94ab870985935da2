# isort: skip_file
# The order counts: a model comes before those that inherit from it.
from . import odoo
from . import account
from . import sync
from . import config
from . import cloud_storage_trash
from . import cloud_storage_unused_file
from . import cloud_storage_lost_content
from . import cloud_storage_restore_relink
from . import cloud_storage_reconcile
from . import cloud_storage_invariants
from . import ir_attachment
from . import ir_attachment_schema
from . import ir_attachment_content
from . import ir_attachment_thumbnail
from . import ir_attachment_restore
from . import ir_attachment_retry
from . import ir_attachment_actions
from . import ir_attachment_pending
from . import ir_http
from . import insight
