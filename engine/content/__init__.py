"""Contents: what a file's bytes are, who lacks them, and where else they may be.

Rows, lists, names and marks only say where to look. What is concluded from here was read
and hashed, or is what Drive says of that very file at this moment.
"""
