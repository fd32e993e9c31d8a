"""Letters with a slip: the address by which someone sets a password.

They are no `Delivery`, whose words are kept: the address is known to whom it is sent, and here for as long as the
sending takes.
"""

from __future__ import annotations

import smtplib
from collections.abc import Callable

import structlog
from flask_babel import force_locale
from flask_babel import lazy_gettext as _

from trace_app.accounts.models import PasswordSlip
from trace_app.accounts.slips import service as slips
from trace_app.clock import local
from trace_app.db.session import transaction
from trace_app.extensions import db, jobs
from trace_app.jobs import away
from trace_app.messages.delivery import is_for_good, send_letter
from trace_app.settings import address_of

AGAIN_AFTER_S = 300

log = structlog.get_logger()


def is_on_its_way(letter: Callable[..., None], *arguments: object) -> bool:
    """Have one of these letters written and sent. Nothing finds it later where the queue is away: who asked is told."""
    try:
        jobs.hand_over(letter, *arguments)
    except away() as error:
        log.warning("the queue is away: a letter is not sent", exc_info=error)
        return False
    return True


@jobs.task(queue="mail")
def answer_forgotten(identity: str) -> None:
    """Send a slip to the owner of an account that someone has named, if there is one."""
    with transaction():
        handed_out = slips.ask_by_mail(identity)
        known = (handed_out.slip.id, handed_out.word) if handed_out else None
    if known:
        jobs.hand_over(post_slip, *known)


@jobs.task(queue="mail")
def post_slip(slip_id: int, word: str) -> None:
    """Send a slip, and try again for as long as it is good."""
    if not slips.is_good(slip_id):
        return
    slip = db.session.get_one(PasswordSlip, slip_id)
    if not slip.user.email:
        return
    with force_locale("zh_CN"):
        subject = str(_("曲靖农产品追溯平台：请设置您的密码"))
        lines = [
            str(_("%(name)s，您好：", name=slip.user.full_name)),
            "",
            str(_("请打开下面的链接，设置您自己的密码。用户名是 %(username)s。", username=slip.user.username)),
            str(_("链接只能用一次，%(when)s 前有效。", when=f"{local(slip.expires_at):%Y-%m-%d %H:%M}")),
            str(_("不是您要的？不必理会，您的账号没有变化；不放心可以告诉县里的平台管理员。")),
            "",
        ]
    link, address = address_of("slips.use", word=word), slip.user.email
    db.session.rollback()
    try:
        send_letter(address, subject, [*lines, link])
    except (OSError, smtplib.SMTPException) as error:
        log.warning("a slip was not sent", slip=slip_id, error=type(error).__name__)
        if not is_for_good(error):
            jobs.try_again(AGAIN_AFTER_S)
