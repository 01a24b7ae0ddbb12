"""Who was seen on the LAN: so many of each type and no more, and each worth a dial once a minute. Pure."""

from dataclasses import dataclass, field
from typing import Final

from net.lan.announcement import Announcement
from net.limits import NetLimits

__all__ = ["Sighting", "Sightings"]

_DIAL_APART_S: Final = 60.0


@dataclass(slots=True)
class Sighting:
    """Somebody announced on the link; unproven as long as no handshake says otherwise.

    Attributes:
        kind: the type of service.
        name: of the instance.
        announcement: the last one.
        dial_at: when it may be dialled again, in seconds.
    """

    kind: str
    name: str
    announcement: Announcement
    dial_at: float = 0.0


@dataclass(slots=True)
class Sightings:
    """All of them.

    Args:
        limits: how many of one type.
    """

    limits: NetLimits
    _seen: dict[tuple[str, str], Sighting] = field(default_factory=dict)

    def all(self, kind: str) -> list[Sighting]:
        """Those of a type, in the order in which they came."""
        return [sighting for (of, _), sighting in self._seen.items() if of == kind]

    def has_room(self, kind: str, name: str) -> bool:
        """Whether an instance is known or may become so."""
        return (kind, name) in self._seen or len(self.all(kind)) < self.limits.mdns_instances

    def saw(self, kind: str, name: str, announcement: Announcement) -> bool:
        """Somebody announced itself.

        Args:
            kind: the type of service.
            name: of the instance.
            announcement: checked.

        Returns:
            Whether that is news.
        """
        before = self._seen.get((kind, name))
        if before is None:
            if not self.has_room(kind, name):
                return False
            self._seen[kind, name] = Sighting(kind, name, announcement)
            return True
        news = before.announcement != announcement
        before.announcement = announcement
        return news

    def lost(self, kind: str, name: str) -> Sighting | None:
        """An instance said goodbye, or its announcement ran out."""
        return self._seen.pop((kind, name), None)

    def may_dial(self, kind: str, name: str, now: float) -> bool:
        """Whether an instance may be dialled now; if so, not again for a minute.

        Args:
            kind: the type of service.
            name: of the instance.
            now: seconds.
        """
        sighting = self._seen.get((kind, name))
        if sighting is None or now < sighting.dial_at:
            return False
        sighting.dial_at = now + _DIAL_APART_S
        return True
