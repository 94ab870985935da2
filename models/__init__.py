from . import account, attachment, config, insight, odoo, sync
