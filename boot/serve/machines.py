"""What machines tell: reports and receipts, within limits, and told on as theirs."""

import asyncio
from collections.abc import Callable
from typing import Final

from aiohttp import web

from boot.serve.answers import failed, told
from boot.serve.limits import ServeLimits
from boot.serve.reports import BODY_MAX, Delivered, deliver, parse_reports
from boot.serve.sessions import Sessions
from boot.serve.visit import Visit
from net.bucket import Bucket
from runtime.boot_events import BootReceipt, BootReport
from runtime.canonical import Json
from runtime.errors import RefusedError
from runtime.events import Event
from runtime.sanitise import clean

__all__ = ["Machines"]

_TOO_MANY: Final = {"Retry-After": "5"}


class Machines:
    """Takes what machines tell.

    Args:
        sessions: who asked for the manifest.
        limits: how much is taken.
        on_event: is told.
        accepts: whether the key of a receipt is believed.
        keep: takes the id and the bytes of a receipt that is tied to a machine and not false.
    """

    def __init__(
        self,
        sessions: Sessions,
        limits: ServeLimits,
        on_event: Callable[[Event], None],
        accepts: Callable[[str], bool],
        keep: Callable[[str, bytes], None],
    ) -> None:
        self._sessions = sessions
        self._limits = limits
        self._on_event = on_event
        self._accepts = accepts
        self._keep = keep
        self._bucket = Bucket(limits.report_rate, limits.report_burst)

    async def report(self, visit: Visit) -> web.StreamResponse:
        """Lines about steps."""
        raw = await self._body(visit.request)
        if raw is None:
            return failed(413, f"at most {BODY_MAX} bytes are taken, and not for ever")
        try:
            reports = parse_reports(raw)
        except RefusedError as error:
            return failed(400, clean(error.why, 200))
        for report in reports:
            session = visit.session = self._sessions.find(report.session)
            if session is None:
                return failed(404, "there is no such session")
            if session.reports >= self._limits.per_session or not self._bucket.take(visit.began):
                return failed(429, "too many reports", _TOO_MANY)
            session.reports += 1
            said = BootReport(
                session=session.nonce, address=visit.address, step=report.step, ok=report.ok, detail=report.detail
            )
            self._on_event(said)
        return told({"taken": len(reports)}, 202)

    async def receipt(self, visit: Visit, manifest_hash: str) -> web.StreamResponse:
        """A receipt, which is verified like any other."""
        raw = await self._body(visit.request)
        if raw is None:
            return failed(413, f"at most {BODY_MAX} bytes are taken, and not for ever")
        if not self._bucket.take(visit.began):
            return failed(429, "too many receipts", _TOO_MANY)
        try:
            found = await asyncio.to_thread(deliver, raw, manifest_hash, self._sessions.find, self._accepts)
        except RefusedError:
            return failed(400, "this is no receipt")
        visit.session = found.session
        if found.session is None:
            return failed(404, "the receipt is of no session")
        if found.verification.ok is not False:
            await asyncio.to_thread(self._keep, found.receipt.id, raw)
        self._tell(found, found.session.nonce, visit.address)
        value: dict[str, Json] = {"receipt": found.receipt.id, "verification": found.verification.document()}
        return told(value, 422 if found.verification.ok is False else 200)

    def _tell(self, found: Delivered, nonce: str, address: str) -> None:
        doubts = "; ".join(f"{step.name}: {step.detail}" for step in found.verification.steps if step.ok is False)
        self._on_event(
            BootReceipt(
                session=nonce,
                address=address,
                receipt=found.receipt.id,
                key=found.receipt.worker,
                ok=found.verification.ok,
                detail=clean(doubts, 300),
                names_manifest=found.names_manifest,
            )
        )

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        """The body; None where it is too long, or took too long."""
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_s):
                while part := await request.content.readany():
                    body += part
                    if len(body) > BODY_MAX:
                        return None
        except TimeoutError:
            return None
        return bytes(body)
