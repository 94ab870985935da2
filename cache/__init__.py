"""Contents of files kept at hand: in the memory of a process, on the disk of a server.

Nothing here imports Odoo or the rest of the addon: the package can be lifted out. It
only ever saves work; who finds nothing in it, or can not write to it, goes on without.
"""
