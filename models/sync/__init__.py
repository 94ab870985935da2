from . import folder, log, outbox, run, run_progress, run_queue, service, unused_file
