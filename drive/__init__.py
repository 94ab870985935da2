"""The Google Drive client: pure Python, no Odoo.

Layers, each importing only those above it: ``errors`` (typed refusals that carry the
retry policy), ``retry`` (pacing, backoff, circuit breaker), ``oauth`` (tokens), ``query``
(the ``q`` language), ``client`` (the API), ``source`` and ``upload`` (bytes up), ``download``.
"""
