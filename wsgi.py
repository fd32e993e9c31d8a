"""The application, as each process of ``flask serve`` loads it, or any other WSGI server."""

import gc

from trace_app import create_app

app = create_app()
# What stays for good need not be looked through whenever Python tidies up: a third of a second each time.
gc.collect()
gc.freeze()
# And most of what a page is made of goes by itself when it is sent.
gc.set_threshold(10_000, 20, 20)
