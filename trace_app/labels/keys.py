"""The label keys in use, and their fingerprints in the database."""

from __future__ import annotations

from flask import current_app
from flask_babel import gettext
from flask_babel import lazy_gettext as _

from qr.codes import CodeBook
from qr.keys import KeyFile, KeyFileError
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.labels.models import LabelKey
from trace_app.settings import settings


class KeyTrouble(Problem):
    """The label key is missing, not safe, or another than the one that labels were made with."""

    status = 503
    code = "label-key-trouble"
    title = _("标签密钥不可用：%(fault)s。请联系管理员从备份恢复密钥文件；在此之前不能打印。")


def key_file() -> KeyFile:
    return KeyFile(settings().label_keys)


def code_book() -> CodeBook:
    """The keys in use, read and checked once for each application.

    :raises KeyTrouble: where the key file is not the one that labels were made with.
    """
    book: CodeBook | None = current_app.extensions.get("code_book")
    if book is None:
        try:
            fingerprints = key_file().fingerprints()
            book = key_file().code_book()
        except KeyFileError as error:
            raise KeyTrouble(fault=str(error)) from error
        for known in db.session.scalars(db.select(LabelKey)):
            if fingerprints.get(known.number) != known.fingerprint:
                raise KeyTrouble(fault=gettext("密钥 %(number)s 的指纹不符", number=known.number))
        current_app.extensions["code_book"] = book
    return book


def register_keys() -> None:
    """Make the key file where there has never been one, and note new keys' fingerprints.

    :raises KeyTrouble: where labels were made with a key that the file lacks: it is never made anew then.
    """
    known = {key.number: key.fingerprint for key in db.session.scalars(db.select(LabelKey))}
    try:
        if not known and not key_file().exists():
            key_file().create()
        fingerprints = key_file().fingerprints()
    except KeyFileError as error:
        raise KeyTrouble(fault=str(error)) from error
    for number, fingerprint in known.items():
        if fingerprints.get(number) != fingerprint:
            raise KeyTrouble(fault=gettext("密钥 %(number)s 的指纹不符", number=number))
    for number in fingerprints.keys() - known.keys():
        db.session.add(LabelKey(number=number, fingerprint=fingerprints[number]))
    db.session.flush()
    current_app.extensions.pop("code_book", None)
