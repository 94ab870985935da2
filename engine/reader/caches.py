"""The caches of a database, with the limits that its administrator chose."""

import os

from odoo.tools import config

from ...cache import shared

MB = 1024 * 1024
CACHE_TTL_SECONDS = 86400
CACHE_MAX_SIZE_MB = 1024


def memory_cache(env):
    """The :class:`~...cache.memory.MemoryCache` of this database in this process."""
    cache = shared.memory_cache(env.cr.dbname)
    cache.configure(*env["ir.attachment"]._memory_limits())
    return cache


def disk_cache(env):
    """The :class:`~...cache.disk.DiskCache` of this database, one object per process."""
    param = env["ir.config_parameter"].sudo().get_param
    root = param("cloud_storage.cache_dir") or os.path.join(
        config["data_dir"], "cloud_storage_cache"
    )
    number = env["cloud_storage.mixin"]._int_parameter
    return shared.disk_cache(
        root,
        env.cr.dbname,
        number("cache_max_size_mb", CACHE_MAX_SIZE_MB) * MB,
        number("cache_ttl_seconds", CACHE_TTL_SECONDS),
    )


def clear(env):
    """Forget all contents: those of this process, and those that all share."""
    memory_cache(env).clear()
    disk_cache(env).clear()
