from . import (
    cloud_storage_confirmation,
    cloud_storage_wizard,
    cloud_storage_wizard_migrate,
    cloud_storage_wizard_restore,
)
