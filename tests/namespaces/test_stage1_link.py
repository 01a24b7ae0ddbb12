"""The first stage's way to an address, on a network of the kernel's: what it asks for is what the kernel then has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.net

_INSIDE = """
import ctypes, json, sys
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
if ctypes.CDLL(None).unshare(0x40000000):  # CLONE_NEWNET
    sys.exit("no namespace")
from boot.stage1 import link
link.bring_up("lo")
link.set_address("lo", IPv4Interface("192.0.2.5/24"))
before = link.has_default_route()
link.set_default_route("lo", IPv4Address(sys.argv[1]), on_link=sys.argv[2] == "outside")
routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
print(json.dumps({"before": before, "after": link.has_default_route(), "routes": routes}))
"""


@pytest.mark.parametrize(
    ("router", "where", "hexadecimal"), [("192.0.2.1", "inside", "010200C0"), ("198.51.100.1", "outside", "016433C6")]
)
def test_an_address_and_a_route_are_what_the_kernel_has(router: str, where: str, hexadecimal: str) -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _INSIDE, router, where],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["before"], found["after"]) == (False, True)
    assert [route[:3] for route in found["routes"]] == [["lo", "00000000", hexadecimal]]
