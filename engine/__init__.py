"""What happens to bytes: takes ``env``, defines no model."""
