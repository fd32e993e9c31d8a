"""The application's extensions, each made once and bound to the application in `create_app`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask_babel import Babel
from flask_compress import Compress
from flask_limiter import Limiter, RateLimitExceeded
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from flask_security import Security, Totp
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from trace_app.db.base import Base
from trace_app.jobs import Jobs


class CodesOnce(Totp):
    """Codes of an app as a second factor, each of which is taken once. The library takes the class where it is made."""

    def get_last_counter(self, user: Any) -> int | None:
        counter: int | None = user.tf_last_counter
        return counter

    def set_last_counter(self, user: Any, tmatch: Any) -> None:
        user.tf_last_counter = tmatch.counter


class Limits(Limiter):
    """Limits of requests, counted in memory where Redis is away, whoever was the first to find that out."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        try:
            super()._check_request_limit(callable_name, in_middleware)
        except RateLimitExceeded:
            raise
        except Exception:
            # The library counts in memory for the request that finds Redis away, and raises for others at that moment.
            if not self._storage_dead:
                raise
            self.context.seen_limits.clear()
            super()._check_request_limit(callable_name, in_middleware)


db = SQLAlchemy(model_class=Base)
if TYPE_CHECKING:
    # What Flask-SQLAlchemy makes of the base at run time is the base, to a reader of types.
    Model = Base
else:
    Model = db.Model
migrate = Migrate()
babel = Babel()
security = Security(totp_cls=CodesOnce)
csrf = CSRFProtect()
limiter = Limits(get_remote_address, headers_enabled=False, in_memory_fallback_enabled=True)
compress = Compress()
jobs = Jobs()
