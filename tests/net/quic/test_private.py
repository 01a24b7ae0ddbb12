"""What is used of aioquic beyond its documentation is there, in the version that is pinned."""

import ast
import importlib.metadata
import inspect
import ssl
from pathlib import Path

import pytest
from aioquic import tls
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.stream import QuicStream, QuicStreamReceiver, QuicStreamSender

from net.limits import NetLimits
from net.quic import private
from net.quic.certificate import make_credentials
from net.quic.private import PRIVATE_NAMES, configuration
from runtime.identity import Identity
from tests.net.quic.certificates import NOW_MS

INSTANCES: dict[type, object] = {
    QuicConnection: QuicConnection(configuration=QuicConfiguration()),
    tls.Context: tls.Context(is_client=True),
    QuicStream: QuicStream(stream_id=0),
    QuicStreamReceiver: QuicStreamReceiver(stream_id=0, readable=True),
    QuicStreamSender: QuicStreamSender(stream_id=0, writable=True),
}
ROWS = [(owner, name) for owner, names in PRIVATE_NAMES for name in names]
MADE_LATER = {"tls"}
"""Of a connection only once it has begun."""


def test_the_version_is_the_one_that_was_looked_into() -> None:
    assert importlib.metadata.version("aioquic") == "1.7.2"


@pytest.mark.parametrize(("owner", "name"), ROWS, ids=[f"{owner.__name__}.{name}" for owner, name in ROWS])
def test_the_name_is_there(owner: type, name: str) -> None:
    if name in MADE_LATER:
        assert f"self.{name} =" in inspect.getsource(owner)
    else:
        assert hasattr(INSTANCES[owner], name)


def test_what_is_overridden_takes_what_ours_takes() -> None:
    for name in PRIVATE_NAMES[0][1]:
        ours, theirs = getattr(private.Libp2pQuic, name), getattr(QuicConnection, name)
        assert ours is not theirs
        assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


def test_no_private_name_is_used_that_is_not_in_the_table() -> None:
    """Our own private names are those that the class itself assigns or defines."""
    tree = ast.parse(Path(private.__file__).read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")}
    own = {"_judge", "_windows", "_proven", "_is_client"}
    assert {name for name in used if not name.startswith("__")} - own <= {name for _, name in ROWS}


def test_no_other_file_of_ours_uses_a_private_name_of_the_library() -> None:
    names = {name for _, name in ROWS if name.startswith("_")}
    for path in sorted(Path(private.__file__).parent.glob("*.py")):
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)]
        of_others = {node.attr for node in nodes if not (isinstance(node.value, ast.Name) and node.value.id == "self")}
        assert path.name == "private.py" or not of_others & names, path.name


def test_the_settings_trust_no_authority_and_name_no_server() -> None:
    made = configuration(make_credentials(Identity(bytes(32)), NOW_MS), NetLimits(), is_client=True)
    assert made.alpn_protocols == ["libp2p"]
    assert made.verify_mode == ssl.CERT_NONE
    assert made.server_name is None
    assert made.session_ticket is None
    assert made.idle_timeout == 30
    assert made.max_datagram_frame_size is None
    assert [hex(version) for version in made.supported_versions] == ["0x1"]
