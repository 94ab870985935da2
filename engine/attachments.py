"""What rows of ``ir_attachment`` are, as SQL."""

#: Its bytes are on this server, as far as the row tells.
HERE = "(store_fname IS NOT NULL OR db_datas IS NOT NULL)"
