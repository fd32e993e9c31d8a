"""Which passwords will do: long enough for what their owner may do, and none that guessing finds soon.

The package zxcvbn (after Wheeler, USENIX Security 2016) counts how many guesses a password takes, from its own lists of
30,000 common passwords, English words and names, and what people know of its owner. Nothing leaves the machine.
"""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import lazy_gettext as _

from trace_app.accounts.access import SUPERVISORS
from trace_app.accounts.models import RoleName

LEAST, LEAST_OF_OFFICERS = 8, 12
"""Characters that a password has; of those whose accounts can stop goods or open accounts."""
ENOUGH, ENOUGH_OF_OFFICERS = 2, 3
"""zxcvbn's scores from which on a password will do: a million guesses at least, and a hundred million."""
LOOKED_AT = 72
"""Characters that are looked at: counting takes longer the longer a password is."""
OF_THE_PLACE = (
    *("qujing", "luoping", "xuanwei", "shizong", "yunnan", "zhuisu", "trace", "huotui", "xiaohuangjiang", "fengmi"),
    *("woaini", "woaini1314", "5201314", "1314520", "woaizhongguo", "zhongguo", "qwer1234", "asd123456", "aa123456"),
    *("曲靖", "罗平", "宣威", "师宗", "追溯", "火腿", "小黄姜", "蜂蜜", "薏仁"),
)
"""Words that are guessed first here, and in none of zxcvbn's lists."""


def least_length(role: RoleName | None) -> int:
    return LEAST_OF_OFFICERS if role in SUPERVISORS else LEAST


def fault_of(password: str, role: RoleName | None, known: Iterable[str] = ()) -> str:
    """What is wrong with a password, in words that say what to do; empty where it will do.

    :param role: its owner's.
    :param known: what others know of its owner, such as names.
    """
    # Its lists take some megabytes: loaded where a password is set.
    from zxcvbn import zxcvbn

    least = least_length(role)
    if len(password) < least:
        return str(_("至少 %(least)d 位。可以用几个不相干的词连起来，好记又难猜。", least=least))
    words = [*OF_THE_PLACE, *(word for word in known if word)]
    score = zxcvbn(password[:LOOKED_AT], user_inputs=words)["score"]
    if score < (ENOUGH_OF_OFFICERS if role in SUPERVISORS else ENOUGH):
        return str(_("这个密码太容易被猜到。请不要用常见密码、名字、生日或键盘顺序；几个不相干的词连起来就很好。"))
    return ""
