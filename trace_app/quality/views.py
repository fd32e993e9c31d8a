"""A batch's page with its records and what the rules say of it; releasing; the producer's list of what to do."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.access import SUPERVISORS, allow, the_user
from trace_app.accounts.models import RoleName
from trace_app.accounts.service import AUDIT_ACTIONS
from trace_app.batches import service as batches
from trace_app.batches.forms import STATES
from trace_app.batches.models import Batch
from trace_app.db.session import transaction
from trace_app.findings import service as findings
from trace_app.findings.forms import SEVERITIES
from trace_app.findings.models import Severity
from trace_app.findings.rules import RULES, message_of
from trace_app.quality import service
from trace_app.quality.commitments import commitments_of
from trace_app.quality.showing import SUBJECTS, certificate_label
from trace_app.quality.shown import certificates_shown, tests_of
from trace_app.records import service as records
from trace_app.records.intervals import intervals
from trace_app.records.showing import TYPES, details, record_title

views = Blueprint("quality", __name__)


@views.get("/batches/<int:batch_id>")
@allow(RoleName.PRODUCER, *SUPERVISORS)
def batch(batch_id: int) -> Any:
    return _batch_page(batch_id)


def _batch_page(batch_id: int, problem: str | None = None) -> str:
    row = service.checked_batch(the_user(), batch_id)
    shown = records.records_of(row)
    standing = findings.standing(row)
    return render_template(
        "batches/show.html",
        batch=row,
        records=shown,
        intervals=intervals(row, records.in_force(shown)),
        own=the_user().role is RoleName.PRODUCER,
        types=TYPES,
        states=STATES,
        record_title=record_title,
        details=details,
        history=audit.history(row),
        actions=AUDIT_ACTIONS,
        problem=problem,
        standing=standing,
        blocked=any(finding.stops_release for finding in standing),
        gone=findings.gone(row),
        rules=RULES,
        severities=SEVERITIES,
        message_of=message_of,
        tests=tests_of(row),
        subjects=SUBJECTS,
        certificates=certificates_shown(row),
        certificate_label=certificate_label,
        commitments=commitments_of(row),
    )


@views.post("/batches/<int:batch_id>/release")
@allow(RoleName.PRODUCER)
def release(batch_id: int) -> Any:
    try:
        with transaction():
            service.release_batch(the_user(), batches.own_batch(the_user(), batch_id))
    except service.ReleaseBlocked:
        return _batch_page(batch_id, str(_("还不能放行：请先处理下面标红的问题。"))), 409
    except batches.NotReadyForRelease as problem:
        return _batch_page(batch_id, problem.message), problem.status
    flash(_("批次已放行，可以打印标签了。"))
    return redirect(url_for("quality.batch", batch_id=batch_id))


@views.get("/to-do")
@allow(RoleName.PRODUCER)
def to_do() -> Any:
    """What a producer has to do before its lots can be released, and what else was found."""
    service.check_due_of(the_user())
    lots: list[tuple[Batch | None, Any]] = findings.to_do(the_user())
    return render_template(
        "findings/to_do.html", lots=lots, rules=RULES, message_of=message_of, severities=SEVERITIES, states=STATES,
        block=Severity.BLOCK,
    )  # fmt: skip
