# isort: skip_file
# The order counts: a model comes before those that inherit from it.
from . import odoo
from . import account
from . import sync
from . import config
from . import cloud_storage_sync_run_work
from . import attachment
from . import insight
