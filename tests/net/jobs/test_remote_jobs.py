"""A job on another node, from the offer to the stored end: two real nodes, real workers, real modules."""

from tests.net.jobs.job_peers import Peers
from tests.runtime.jobs.jobs_node import HELLO


async def test_a_job_runs_on_the_worker_and_its_receipt_is_believed(peers: Peers) -> None:
    end = await peers.run(HELLO, b"over there")
    assert (end.outcome, end.exit_code, end.state, end.reason) == ("exit", 0, "done", "")
    assert end.where == str(peers.worker_id)
    assert (await peers.requester.jobs.output(end.job)).stdout == b"ereht revo"
    assert end.verification is not None and end.verification.ok
    assert end.receipt_document is not None
    assert end.receipt_document["worker_pubkey"] == peers.worker_node.identity.public_hex
    assert peers.blamed() == []
