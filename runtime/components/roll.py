"""Who is installed: a unit for each component, a second one while another version takes its place, and the damaged."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from weakref import WeakValueDictionary

from runtime.components.answers import Seat
from runtime.components.host.context import ComponentId
from runtime.components.post import Post
from runtime.components.unit import Unit
from runtime.errors import NotFoundError, OrlopError, UnavailableError, UsageError
from runtime.sanitise import clean

__all__ = ["Roll"]


class Roll:
    """All units of a node.

    Attributes:
        units: by name; as it is at each moment.
        newer: those that are to take the place of another, by name.
        damaged: what is wrong with components whose rows cannot be read, by name.
    """

    def __init__(self) -> None:
        self._units: dict[str, Unit] = {}
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.units: Mapping[str, Unit] = MappingProxyType(self._units)
        self.newer: dict[str, Unit] = {}
        self.damaged: dict[str, OrlopError] = {}

    def put(self, unit: Unit) -> None:
        """A component is there, or another version of it.

        Args:
            unit: its own.
        """
        self._units[unit.name] = unit

    def remove(self, name: str) -> None:
        """A component is gone.

        Args:
            name: `namespace/name`.
        """
        self._units.pop(name, None)
        self.damaged.pop(name, None)

    def turn(self, name: str) -> asyncio.Lock:
        """Held by whoever installs, changes or removes a component: one after another.

        Args:
            name: `namespace/name`.
        """
        return self._turns.setdefault(name, asyncio.Lock())

    def everybody(self) -> list[Unit]:
        """All units, those that are to take another's place too."""
        return [*self._units.values(), *self.newer.values()]

    def full_name(self, name: str) -> str:
        """The whole name of a component that is installed, damaged or not.

        Args:
            name: `namespace/name`, or `name` where only one has it.

        Raises:
            NotFoundError: there is none.
            UsageError: several have that name.
        """
        known = self._units.keys() | self.damaged.keys()
        if name in known:
            return name
        found = [full for full in sorted(known) if full.partition("/")[2] == name]
        if len(found) > 1:
            raise UsageError(f"`{clean(name, 80)}` could be {', '.join(found)}")
        if not found:
            hint = "orlop components list shows what is installed"
            raise NotFoundError(f"no component `{clean(name, 140)}`", hint=hint)
        return found[0]

    def find(self, name: str) -> Unit:
        """One component.

        Args:
            name: as for `full_name`.

        Raises:
            NotFoundError: there is none.
            UsageError: several have that name.
            UnavailableError: what is stored of it is damaged.
        """
        full = self.full_name(name)
        if full in self.damaged:
            error = self.damaged[full]
            raise UnavailableError(error.why, where=full, hint=error.hint)
        return self._units[full]

    def of(self, component: ComponentId) -> Unit | None:
        """The unit of an instance.

        Args:
            component: who it is.
        """
        name = f"{component.namespace}/{component.name}"
        found = (self._units.get(name), self.newer.get(name))
        return next((unit for unit in found if unit is not None and unit.component == component), None)

    def seat(self, component: ComponentId) -> Seat | None:
        """The seat of an instance, while it is there.

        Args:
            component: who it is.
        """
        unit = self.of(component)
        return unit.seat if unit is not None else None

    def seat_named(self, name: str, post: Post) -> Seat | None:
        """The seat of whoever others reach by a name.

        Args:
            name: `namespace/name`.
            post: which of two instances that is.
        """
        box = post.box(name)
        seats = (unit.seat for unit in (self._units.get(name), self.newer.get(name)) if unit is not None)
        return next((seat for seat in seats if seat is not None and seat.box is box), None)

    def wake(self, key: str) -> None:
        """Something came into a mailbox.

        Args:
            key: of the box at the post.
        """
        name = key.partition("#")[0]
        for unit in (self._units.get(name), self.newer.get(name)):
            if unit is not None:
                unit.woken()
