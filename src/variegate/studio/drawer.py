"""One thread that draws for all requests: rows of several requests share a pass of the network.

A request is dropped as soon as its sender has gone or a newer request replaces it, between two passes. Which rows share
a pass changes no image: see `decode_rows`.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..core.interfaces import Features
from ..core.sampling import ROWS, decode_rows
from ..model.model import Model
from .security import Refusal

MOST_ROWS = 512  # images that wait at a time; more are refused
NAMES = 1000  # of orders that replace each other, which are remembered


class Dropped(Exception):
    """The request was replaced by a newer one, or its sender has gone."""


@dataclass(eq=False)
class Order:
    """Images wanted of one raw condition (c, H, W), one for each code (n, D)."""

    model: Model
    raw: Tensor
    codes: Tensor
    turn: tuple[str, int] | None = None  # of one name, only the highest number counts
    result: Future[Tensor] = field(default_factory=Future)
    dropped: bool = False
    given: int = 0  # rows that have been taken up
    images: list[Tensor] = field(default_factory=list)
    encoded: Tensor | None = None
    features: Features | None = None

    @property
    def waiting(self) -> int:
        return len(self.codes) - self.given

    @property
    def kind(self) -> tuple[int, tuple[int, ...]]:
        """Orders of one kind can share a pass."""
        return id(self.model), tuple(self.raw.shape)


class Drawer:
    """Draws in a thread of its own until it is closed.

    Args:
        notice: called with the number of rows of every pass.
    """

    def __init__(self, notice: Callable[[int], None] = lambda rows: None) -> None:
        self.notice = notice
        self._orders: deque[Order] = deque()
        self._newest: dict[str, int] = {}  # number of the newest order of each name
        self._ready = threading.Condition(threading.RLock())
        self._open = True
        self._pace = 0.05  # seconds of a row, a running mean
        self._thread = threading.Thread(target=self._work, name="drawer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Images that wait."""
        with self._ready:
            return sum(order.waiting for order in self._orders)

    def draw(self, order: Order) -> Future[Tensor]:
        """Images (n, C, H, W) in [0, 1], later.

        Raises:
            Dropped: a newer order has come before this one.
        Refusal: too many images wait already (429), or the server is going down (503).
        """
        with self._ready:
            if not self._open:
                raise Refusal(503, "the server is shutting down")
            if order.turn is not None:
                self._replace(*order.turn)
            waiting = sum(one.waiting for one in self._orders if not one.dropped)
            if waiting and waiting + len(order.codes) > MOST_ROWS:
                wait = math.ceil(waiting * self._pace)
                raise Refusal(429, f"{waiting} images wait already; try again in {wait} s", max(1, wait))
            self._orders.append(order)
            self._ready.notify()
        return order.result

    def _replace(self, name: str, number: int) -> None:
        """Drop the orders of a name that came before `number`. Raises Dropped if a later one was here already."""
        newest = self._newest.pop(name, 0)  # and put in at the end, as the one used last
        self._newest[name] = max(number, newest)
        if number < newest:
            raise Dropped
        if len(self._newest) > NAMES:
            del self._newest[next(iter(self._newest))]
        for earlier in self._orders:
            earlier.dropped |= earlier.turn is not None and earlier.turn[0] == name

    def drop(self, order: Order) -> None:
        """Give an order up, if it is not done."""
        with self._ready:
            order.dropped = True
            self._ready.notify()

    def close(self) -> None:
        """Finish what waits, and stop."""
        with self._ready:
            self._open = False
            self._ready.notify()
        self._thread.join()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            started = time.perf_counter()
            try:
                self._pass([(order, place) for order, place in taken if self._encoded(order)])
            except Exception as error:  # whatever it is, the senders must hear of it
                for order in {id(order): order for order, _ in taken}.values():
                    self._settle(order, error)
            self._pace += 0.2 * ((time.perf_counter() - started) / len(taken) - self._pace)

    def _take(self) -> list[tuple[Order, int]] | None:
        """Up to ROWS rows (order, place of the code) of the oldest order and others of its kind; None at the end."""
        with self._ready:
            while True:
                for order in [one for one in self._orders if one.dropped or one.result.cancelled()]:
                    self._settle(order, Dropped())
                if any(order.waiting for order in self._orders):
                    break
                if not self._open and not self._orders:
                    return None
                self._ready.wait()
            oldest = next(order for order in self._orders if order.waiting)
            alike = [order for order in self._orders if order.kind == oldest.kind]
            taken: list[tuple[Order, int]] = []
            for order in alike:
                while order.waiting and len(taken) < ROWS:
                    taken.append((order, order.given))
                    order.given += 1
            return taken

    def _encoded(self, order: Order) -> bool:
        """Encode an order's condition, once; False if that fails, which is its sender's trouble alone."""
        if order.features is None and not order.result.done():
            try:
                with torch.no_grad(), order.model.autocast():
                    order.encoded = order.model.encode(order.raw)
                    order.features = order.model.generator.encode(order.encoded)
            except Exception as error:
                self._settle(order, error)
        return order.features is not None

    def _pass(self, taken: list[tuple[Order, int]]) -> None:
        if not taken:
            return
        self.notice(len(taken))
        model = taken[0][0].model
        with torch.no_grad(), model.autocast():
            rows = [order.features for order, _ in taken if order.features is not None]
            codes = torch.stack([order.codes[place] for order, place in taken])
            drawn = decode_rows(model.generator, rows, codes)
        for (order, _), image in zip(taken, drawn):
            order.images.append(image)
            if len(order.images) == len(order.codes):
                self._finish(order)

    def _finish(self, order: Order) -> None:
        images, agree = torch.stack(order.images), order.model.generator.agree
        if agree is not None and order.encoded is not None:
            with torch.no_grad():
                images = agree(order.encoded.cpu(), images)
        self._settle(order, ((images + 1) / 2).clamp(0, 1))

    def _settle(self, order: Order, outcome: Tensor | Exception) -> None:
        """Take the order off the list and tell its sender, who may have gone."""
        with self._ready:
            if order in self._orders:
                self._orders.remove(order)
        if order.result.cancelled():
            return
        if isinstance(outcome, Tensor):
            order.result.set_result(outcome)
        else:
            order.result.set_exception(outcome)
