"""What attempts cost, each at the price of the manifest that it was made from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Spending:
    """Prices in USD an image. `price` is that of attempts to come; `before` are earlier ones, oldest first.

    Attempts have no price of their own in the state: they are made one after the other, so it is enough to
    know how many were made at each. Those made while there was no price count at the next one there is.
    """

    price: Decimal | None
    before: tuple[tuple[Decimal, int], ...] = ()

    @classmethod
    def read(cls, price: str | None, before: list[list[Any]] | None) -> Self:
        """Read what the state has."""
        earlier = tuple((Decimal(text), int(count)) for text, count in before or ())
        return cls(None if price is None else Decimal(price), earlier)

    @property
    def written(self) -> list[list[Any]]:
        """Earlier prices as the state keeps them."""
        return [[str(price), count] for price, count in self.before]

    def repriced(self, price: Decimal | None, attempts: int) -> Self:
        """The same from now on at another price, after so many `attempts` in all."""
        at_this = attempts - self._earlier
        if self.price is None or self.price == price or not at_this:
            return replace(self, price=price)
        return replace(self, price=price, before=(*self.before, (self.price, at_this)))

    def of(self, attempts: int) -> Decimal | None:
        """USD for so many attempts in all, where there is a price."""
        if self.price is None:
            return None
        return sum((price * count for price, count in self.before), self.price * (attempts - self._earlier))

    @property
    def _earlier(self) -> int:
        return sum(count for _, count in self.before)
