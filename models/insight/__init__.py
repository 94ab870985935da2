from . import access_log, dashboard, error_summary
