"""A model's queue: one thread samples for all requests, and rows of several requests share a pass of the network.

A request is dropped as soon as its sender has gone or a newer request replaces it, even within a pass if no one else
shares it. Which rows share a pass changes no image: see `decode_rows`.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.images import to_unit
from ..core.interfaces import Features
from ..core.sampling import ROWS, decode_rows
from ..model.model import Model
from .security import Refusal

MOST_WAITING = 512  # images; more are refused
NAMES = 1000  # of orders that replace each other, which are remembered


class Dropped(Exception):
    """The request was replaced by a newer one, or its sender has gone."""


@dataclass(eq=False)
class Order:
    """Images wanted of one raw condition (c, H, W), one for each code (n, D)."""

    raw: Tensor
    codes: Tensor
    turn: tuple[str, int] | None = None  # of one name, only the highest number counts
    result: Future[Tensor] = field(default_factory=Future)
    dropped: bool = False
    given: int = 0  # rows that have been taken up
    images: list[Tensor] = field(default_factory=list)
    features: Features | None = None

    @property
    def waiting(self) -> int:
        return len(self.codes) - self.given

    @property
    def is_unwanted(self) -> bool:
        return self.dropped or self.result.done()


Row = tuple[Order, int]  # an order, and the place of one of its codes


class SamplingQueue:
    """Samples in a thread of its own until it is closed.

    Args:
        notice: called with the number of rows of every pass.
    """

    def __init__(self, model: Model, notice: Callable[[int], None] = lambda rows: None) -> None:
        self.model, self.notice = model, notice
        self._orders: deque[Order] = deque()
        self._newest: dict[str, int] = {}  # number of the newest order of each name
        self._changed = threading.Condition(threading.RLock())
        self._open = True
        self._pace = 0.05  # seconds of a row, a running mean
        self._thread = threading.Thread(target=self._work, name="samples", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Images that wait."""
        with self._changed:
            return sum(order.waiting for order in self._orders if not order.is_unwanted)

    def submit(self, order: Order) -> Future[Tensor]:
        """Images (n, C, H, W) in [0, 1], later.

        Raises:
            Dropped: a newer order has come before this one.
            Refusal: too many images wait already (429), or the server is going down (503).
        """
        with self._changed:
            if not self._open:
                raise Refusal(503, "the server is shutting down")
            replaced = self._replaced(order)
            waiting = self.waiting - sum(one.waiting for one in replaced if not one.is_unwanted)
            if waiting and waiting + len(order.codes) > MOST_WAITING:
                wait = max(1, math.ceil(waiting * self._pace))
                raise Refusal(429, f"{waiting} images wait already; try again in {wait} s", wait)
            for earlier in replaced:
                earlier.dropped = True
            self._orders.append(order)
            self._changed.notify()
        return order.result

    def drop(self, order: Order) -> None:
        """Give an order up, if it is not done."""
        with self._changed:
            order.dropped = True
            self._changed.notify()

    def close(self) -> None:
        """Finish what waits, and stop."""
        with self._changed:
            self._open = False
            self._changed.notify()
        self._thread.join()

    def _replaced(self, order: Order) -> list[Order]:
        """The orders that an order replaces. Raises Dropped if a later one of its name was here already."""
        if order.turn is None:
            return []
        name, number = order.turn
        newest = self._newest.pop(name, 0)
        self._newest[name] = max(number, newest)  # at the end, as the one used last
        if len(self._newest) > NAMES:
            del self._newest[next(iter(self._newest))]
        if number < newest:
            raise Dropped
        return [one for one in self._orders if one.turn is not None and one.turn[0] == name]

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            started, count = time.perf_counter(), len(taken)
            self._attempt([row for row in taken if self._encoded(row[0])])
            self._pace += 0.2 * ((time.perf_counter() - started) / count - self._pace)
            del taken  # while it waits, it holds on to nothing

    def _take(self) -> list[Row] | None:
        """Up to ROWS rows of the oldest order and others of its size; None at the end."""
        with self._changed:
            while True:
                for order in [one for one in self._orders if one.is_unwanted]:
                    self._settle(order, Dropped())
                if any(order.waiting for order in self._orders):
                    break
                if not self._open and not self._orders:
                    return None
                self._changed.wait()
            oldest = next(order for order in self._orders if order.waiting)
            taken: list[Row] = []
            for order in self._orders:
                while order.raw.shape == oldest.raw.shape and order.waiting and len(taken) < ROWS:
                    taken.append((order, order.given))
                    order.given += 1
            return taken

    def _encoded(self, order: Order) -> bool:
        """Encode an order's condition, once; False if that fails, which is its sender's trouble alone."""
        if order.features is None and not order.result.done():
            try:
                with torch.no_grad():
                    order.features = self.model.generator.encode(self.model.encode(order.raw))
            except Exception as error:
                self._settle(order, error)
        return order.features is not None

    def _attempt(self, taken: list[Row]) -> None:
        """Sample rows; if that fails, those of each order by themselves, so that a fault reaches its sender only."""
        orders = list({id(order): order for order, _ in taken}.values())
        try:
            if taken:
                self._pass(taken)
        except Exception as error:  # whatever it is, the senders must hear of it
            if len(orders) == 1:
                self._settle(orders[0], error)
                return
            for order in orders:
                self._attempt([row for row in taken if row[0] is order])

    def _pass(self, taken: list[Row]) -> None:
        def check() -> None:
            if all(order.is_unwanted for order, _ in taken):
                raise Dropped

        self.notice(len(taken))
        rows = [order.features for order, _ in taken if order.features is not None]
        codes = torch.stack([order.codes[place] for order, place in taken])
        images = to_unit(decode_rows(self.model.generator, rows, codes, check))
        for (order, _), image in zip(taken, images):
            order.images.append(image)
            if len(order.images) == len(order.codes):
                self._settle(order, torch.stack(order.images))

    def _settle(self, order: Order, outcome: Tensor | Exception) -> None:
        """Take the order off the list and tell its sender, who may have gone."""
        with self._changed:
            if order in self._orders:
                self._orders.remove(order)
            if order.result.done():
                return
            with suppress(InvalidStateError):  # its sender has gone at this moment
                if isinstance(outcome, Tensor):
                    order.result.set_result(outcome)
                else:
                    order.result.set_exception(outcome)
