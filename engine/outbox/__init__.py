"""What Drive has to learn of attachments: files left behind, renamed, moved."""
