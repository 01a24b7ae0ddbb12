"""One version of an agent takes the place of another: everything of it that is one transaction of the store."""

from runtime.agents.breaker import CLOSED
from runtime.agents.files import ModuleBytes
from runtime.agents.keys import AgentKey, Connection
from runtime.agents.records import newest_upload, read_breaker, read_record, save_breaker, save_record
from runtime.agents.state import AgentStates, StoredState, delete_state
from runtime.agents.stored import AgentRecord, StoredAgent
from runtime.agents.trust import recheck
from runtime.agents.trusted_keys import read_keys
from runtime.agents.uploads import Change, Uploaded, changed_events
from runtime.agents.versions import find_version, read_kept, read_versions, switch_state
from runtime.errors import NotFoundError
from runtime.store import Transaction

__all__ = ["exchange", "kept_version"]


def exchange(
    tx: Transaction,
    states: AgentStates,
    before: StoredAgent | None,
    record: AgentRecord,
    *,
    by: str,
    keep_state: bool,
    waiting: StoredState | None = None,
    rolled_back: bool = False,
) -> Uploaded:
    """Stores an agent in the place of the one before, which is kept with its version; closes its breaker.

    Args:
        tx: the transaction.
        states: seals and opens.
        before: the present one, if there is one; a damaged one does not hinder it.
        record: the next one.
        by: who granted what it may do.
        keep_state: the operator wants the present state to go on.
        waiting: the state that the next one left when it was replaced.
        rolled_back: whether it is an older version that is back.

    Returns:
        What is stored now.
    """
    change = None
    if isinstance(before, AgentRecord):
        fate = switch_state(tx, states, before, record, keep=keep_state, waiting=waiting, now_ms=tx.now_ms)
        change = Change(before=before, after=record, state=fate)
    elif before is not None and before.hash != record.hash:
        delete_state(tx, record.key)
    breaker = read_breaker(tx, record.key)
    save_record(tx, record)
    save_breaker(tx, record.key, CLOSED)
    for event in changed_events(record, before, breaker, by=by, rolled_back=rolled_back):
        tx.emit(event)
    warnings = () if change is None else change.warnings
    return Uploaded(record=record, warnings=warnings, versions=newest_upload(tx, record.key), change=change)


def kept_version(
    connection: Connection, modules: ModuleBytes, key: AgentKey, reference: str | None
) -> tuple[AgentRecord, AgentRecord, StoredState | None]:
    """The older version that a person means, once it may be started again.

    Args:
        connection: of the store.
        modules: has its module.
        key: whose.
        reference: the text of its version, or the number of its upload; None for the one before the present.

    Returns:
        The present version, the older one, off, and the state that waits with it.

    Raises:
        NotFoundError: there is no such agent, or no such version that was kept.
        AmbiguousError: several versions fit.
        RefusedError: its module is gone or was changed, or those who vouched for it do so no more.
    """
    before = read_record(connection, key)
    if before is None:
        raise NotFoundError(f"Module not found: {key.module_id}")
    version = find_version(read_versions(connection, key), before.upload_no, reference)
    kept = read_kept(connection, key, version.upload_no)
    record = AgentRecord(
        key=key,
        builtin=before.builtin,
        manifest=kept.manifest,
        hash=kept.hash,
        size_bytes=len(modules.read(kept.hash)),
        uploaded_ms=kept.uploaded_ms,
        mark=kept.mark,
        granted=kept.granted,
        active=False,
        upload_no=kept.upload_no,
    )
    recheck(record, read_keys(connection, key.room))
    return before, record, kept.state
