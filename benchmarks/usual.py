"""The peer of trace_page.py: the same pages as Flask and SQLAlchemy give them, without the layer in front of them.

A module that gunicorn loads: ``gunicorn --workers 2 --threads 4 usual:app`` with this folder and its parent on the
path.
"""

from wsgi import app as whole

app = whole.wsgi_app.flask
