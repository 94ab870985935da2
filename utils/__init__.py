"""Pure helpers of the addon: caches, HTTP decisions and file names.

Nothing here imports Odoo, so that all of it can be tested, and reused, without one.
"""
