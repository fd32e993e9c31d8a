"""The application, as each worker of ``flask serve`` loads it, or any other WSGI server."""

from trace_app import create_app

app = create_app()
