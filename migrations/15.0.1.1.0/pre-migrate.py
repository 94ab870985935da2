def migrate(cr, _version):
    """Drop the view of the access analysis; what showed it Odoo removes by itself."""
    cr.execute("DROP VIEW IF EXISTS cloud_storage_access_report")
