"""What a WSGI server loads: ``granian --interface wsgi wsgi:app``."""

import gc

from trace_app import create_app

app = create_app()
# What stays for good need not be looked through whenever Python tidies up: a third of a second each time.
gc.collect()
gc.freeze()
# And most of what a page is made of goes by itself when it is sent.
gc.set_threshold(10_000, 20, 20)
