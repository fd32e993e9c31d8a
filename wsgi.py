"""What a WSGI server loads: ``granian --interface wsgi wsgi:app``."""

import gc

from trace_app import create_app

app = create_app()
# What stays for good need not be looked through whenever Python tidies up: a third of a second each time.
gc.collect()
gc.freeze()
