"""Errors as people and machines should see them: a page, or a problem document (RFC 9457)."""

from __future__ import annotations

import math
import time

import structlog
from flask import Flask, Response, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_babel import ngettext
from flask_wtf.csrf import CSRFError
from markupsafe import escape
from sqlalchemy.exc import DataError, OperationalError
from werkzeug.exceptions import HTTPException

from media_store import StoreUnavailable
from trace_app.db.session import was_broken_off
from trace_app.errors import InvalidInput, Problem
from trace_app.extensions import limiter
from trace_app.logs import route
from trace_app.values import JsonObject

MEANINGS = {
    400: _("请求有误，或页面放得太久。请返回上一页，刷新后再试。"),
    401: _("请先登录，或在请求中附上有效的令牌。"),
    403: _("您没有使用这一页的权限。请换用有权限的账号，或联系管理员。"),
    404: _("没有这一页。请检查网址，或从首页进入。"),
    405: _("这个网址不支持这种操作。请从页面上的按钮进入。"),
    409: _("数据刚刚被别人改动。请返回刷新后再试。"),
    413: _("上传的内容太大。请少选几张照片，或把文件分成几个，分几次上传。"),
    415: _("请用 JSON 提交，并注明 Content-Type: application/json。"),
    422: _("内容不符合要求。请按提示修改后再试。"),
    429: _("操作太频繁。请稍后再试。"),
    500: _("系统出了问题，已记录下来。请稍后再试；如仍不行，请联系管理员。"),
    503: _("暂时无法处理。请稍后再试。"),
}
TOO_OLD = _("还没有收到：这一页放得太久，或已退出登录。请重新打开这一页（需要登录的先登录），再填一次。")

RETRY_AFTER_S = 10
"""Seconds after which a browser or program may ask again for what is away."""
PLAIN = '<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
"""The page of an error where not even that of errors can be made."""

log = structlog.get_logger()


def init_app(app: Flask) -> None:
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(StoreUnavailable, _store_unavailable)
    app.register_error_handler(OperationalError, _database_unavailable)
    for error in (OverflowError, DataError, RecursionError):
        app.register_error_handler(error, _beyond_all_measure)
    app.register_error_handler(Exception, _unexpected)


def _problem(problem: Problem) -> Response:
    if problem.status >= 500:
        log.error("problem", code=problem.code, route=route())
    errors = problem.errors if isinstance(problem, InvalidInput) else None
    return answer(problem.status, problem.message, code=problem.code, errors=errors)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if error.response is not None or (error.code or 500) < 400:
        return error
    status = error.code or 500
    meaning = TOO_OLD if isinstance(error, CSRFError) else MEANINGS.get(status, MEANINGS[500 if status >= 500 else 400])
    if status == 429:
        meaning = _wait()
    response = answer(status, str(meaning))
    for name in ("Allow", "Retry-After", "WWW-Authenticate"):
        value = dict(error.get_headers()).get(name)
        if value:
            response.headers[name] = value
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _wait() -> str:
    """When a limit that was reached lets one in again."""
    reached = limiter.current_limit
    if reached is None:
        return str(MEANINGS[429])
    # The library adds a second.
    minutes = max(1, math.ceil((reached.reset_at - 1 - time.time()) / 60))
    return str(ngettext("操作太频繁。请过 %(num)d 分钟再试。", "操作太频繁。请过 %(num)d 分钟再试。", minutes))


def _store_unavailable(error: StoreUnavailable) -> Response:
    log.error("media store unavailable", route=route(), exc_info=error)
    return _later()


def _later() -> Response:
    """The answer where something of ours is away that comes again."""
    response = answer(503, str(MEANINGS[503]))
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    response.headers["Cache-Control"] = "no-store"
    return response


def _database_unavailable(error: OperationalError) -> Response:
    if was_broken_off(error):
        log.warning("broken off by the database, again and again", route=route(), method=request.method)
        return answer(409, str(MEANINGS[409]))
    log.exception("database unavailable", route=route(), method=request.method)
    return _later()


def _beyond_all_measure(error: Exception) -> Response:
    """A number that no column or date holds, or JSON within JSON without end."""
    log.warning("beyond all measure", route=route(), method=request.method, error=type(error).__name__)
    return answer(400, str(_("有一个数字或日期大得离谱，或内容套了太多层。请检查后再提交。")))


def _unexpected(error: Exception) -> Response:
    log.exception("unexpected error", route=route(), method=request.method)
    return answer(500, str(MEANINGS[500]))


def answer(
    status: int, message: str, *, code: str = "about:blank", errors: dict[str, list[str]] | None = None
) -> Response:
    """The response that tells of an error.

    :param errors: messages by field.
    """
    if request.path.startswith("/api/"):
        return problem_document(status, message, code=code, errors=errors)
    if "Tus-Resumable" in request.headers:
        # Shown by the page that sends a clip.
        return Response(message, status=status, mimetype="text/plain")
    if status >= 500:
        # With the user the trouble may lie.
        g.user_unknown = True
    try:
        # Not by `render_template`, for that asks for the user always.
        page = current_app.jinja_env.get_template("error.html").render(status=status, message=message)
    except Exception:
        log.exception("the page of an error can't be made", route=route())
        page = PLAIN.format(title=escape(message))
    response = Response(page, mimetype="text/html")
    response.status_code = status
    return response


def problem_document(
    status: int, message: str, *, code: str = "about:blank", errors: dict[str, list[str]] | None = None
) -> Response:
    """RFC 9457, section 3. ``errors`` is an extension member: messages by field."""
    body: JsonObject = {
        "type": code if code == "about:blank" else f"/api/v1/docs#problem-{code}",
        "title": message,
        "status": status,
        "instance": request.path,
    }
    if code != "about:blank":
        body["code"] = code
    if errors:
        body["errors"] = errors
    response = jsonify(body)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response
