from . import config, config_actions, file_type, model_config, savings, setup
