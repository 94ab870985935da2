"""Pure helpers of the addon: HTTP decisions, file names, encryption.

Nothing here imports Odoo, so that all of it can be tested, and reused, without one.
"""
