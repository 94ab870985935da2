from . import (
    cloud_storage_mixin,
    ir_config_parameter,
    ir_cron,
    ir_http,
    ir_module_module,
    ir_ui_view,
)
