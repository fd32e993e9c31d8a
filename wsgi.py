"""The application, as each worker of ``flask serve`` loads it, or any other WSGI server."""

from flask import Flask

from config import SettingsFault
from trace_app import create_app


def _made() -> Flask:
    try:
        return create_app()
    except SettingsFault as fault:
        # Who starts us reads what to do, and no trace.
        raise SystemExit(str(fault)) from None


app = _made()
