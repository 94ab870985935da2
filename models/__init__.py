# isort: skip_file
# The order counts: a model comes before those that inherit from it.
from . import odoo
from . import account
from . import sync
from . import config
from . import attachment
from . import insight
