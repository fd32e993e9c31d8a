"""The application's extensions, each made once and bound to the application in `create_app`."""

from __future__ import annotations

from flask_babel import Babel
from flask_compress import Compress
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from flask_security import Security
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from trace_app.db.base import Base
from trace_app.jobs import Jobs

db = SQLAlchemy(model_class=Base)
migrate = Migrate()
babel = Babel()
security = Security()
csrf = CSRFProtect()
limiter = Limiter(get_remote_address, headers_enabled=False)
compress = Compress()
jobs = Jobs()
