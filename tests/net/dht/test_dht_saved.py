import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from net.dht.contact import Contact
from net.dht.saved import SAVED_MAX, load_contacts, save_contacts
from runtime.errors import RefusedError
from runtime.identity import Identity

KEYS = [Identity(bytes([number]) * 32) for number in range(1, 4)]
GOOD = {"ip": "192.0.2.1", "peer": KEYS[0].peer_id, "port": 4001}


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    contacts = [
        Contact(key.public, (ip, 4001)) for key, ip in zip(KEYS, ("192.0.2.1", "10.0.0.1", "2001:db8::1"), strict=True)
    ]
    path = tmp_path / "peers.json"
    save_contacts(path, contacts)
    assert [(again.key, again.address) for again in load_contacts(path)] == [(one.key, one.address) for one in contacts]
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_more_than_200_are_saved(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    save_contacts(path, [Contact(KEYS[0].public, ("192.0.2.1", port)) for port in range(1, 300)])
    assert len(load_contacts(path)) == SAVED_MAX


def test_no_file_is_no_contacts(tmp_path: Path) -> None:
    assert load_contacts(tmp_path / "none") == []


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"v": 2, "contacts": []},
        {"v": 1},
        {"v": 1, "contacts": {}},
        {"v": 1, "contacts": [GOOD] * 201},
        {"v": 1, "contacts": [GOOD | {"x": 1}]},
        {"v": 1, "contacts": ["x"]},
        *(
            {"v": 1, "contacts": [GOOD | change]}
            for change in (
                {"ip": "169.254.169.254"}, {"ip": "::ffff:192.0.2.1"}, {"ip": "host"}, {"ip": 1},
                {"port": 0}, {"port": 65_536}, {"port": True}, {"peer": "12D3"}, {"peer": 1},
            )
        ),
    ],
)  # fmt: skip
def test_dht_row_15_a_file_of_another_form_is_refused_whole(tmp_path: Path, document: object) -> None:
    path = tmp_path / "peers.json"
    path.write_text(json.dumps(document))
    with pytest.raises(RefusedError, match="only a memory: remove it"):
        load_contacts(path)


@given(st.binary(max_size=200))
def test_dht_row_15_garbage_is_refused_or_no_contacts(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(raw)
    with pytest.raises(RefusedError):
        load_contacts(path)
