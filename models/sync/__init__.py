from . import folder, log, run, run_progress, run_queue, service
