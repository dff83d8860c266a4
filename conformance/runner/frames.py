"""Messages between a judge and a runner: a length, a head in JSON, and the arrays of it as raw bytes.

A message is built of dictionaries, lists, strings, numbers, truth values, None, complex numbers and NumPy arrays. In the head an array
is ``{"array": I}``, the I-th entry of ``arrays``: its dtype, shape, and where its bytes are among those that follow, aligned as in the
process it comes from; one array that occurs twice is sent once, and is one array there too. bfloat16 travels as its bits.

Between two processes on one machine the bytes of large arrays may go through a file that both map (:class:`Pipe`).
"""

from __future__ import annotations

import importlib
import json
import math
import mmap
import os
import select
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.numerics.formats import BFLOAT16, Array
from conformance.numerics.layout import ALIGNMENT, Span

VERSION = 1
"""Of the protocol; both sides say theirs in their first message."""
LARGE = 1 << 20
"""Bytes of a message's arrays from which on they go through the file."""
MOST_HEAD = 1 << 28
_SIZES = struct.Struct("<QQB")
"""Bytes of the head, bytes of the arrays, and whether these are in the file."""

Message = dict[str, Any]


class Broken(Exception):
    """What arrived is no message, or the other side is gone; the message says which."""


class Late(Exception):
    """Nothing arrived in time."""


class _Head:
    """Turns a message into a head, and collects its arrays."""

    def __init__(self) -> None:
        self.arrays: list[dict[str, Any]] = []
        self.spans: list[Array] = []
        self.size = 0
        self._known: dict[int, int] = {}
        self._kept: list[Array] = []  # an id is one only while its object lives

    def plain(self, value: Any) -> Any:
        """A value of plain JSON."""
        if isinstance(value, np.generic):
            return self.plain(value.item())
        if value is None or isinstance(value, (str, bool, int, float)):
            return value
        if isinstance(value, np.ndarray):
            return {"array": self._array(value)}
        if isinstance(value, Mapping):
            return {str(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        return [self.plain(item) for item in value]

    def _array(self, array: Array) -> int:
        if id(array) in self._known:
            return self._known[id(array)]
        number = self._known[id(array)] = len(self.arrays)
        self._kept.append(array)
        entry: dict[str, Any] = {"dtype": name_of(array.dtype), "shape": list(array.shape)}
        if array.dtype.hasobject:  # of these only the shape means something elsewhere
            self.arrays.append(entry)
            return number
        span = Span.of(array)
        self.size += -self.size % ALIGNMENT
        entry["at"], entry["length"] = self.size, len(span.memory)
        if span.strides is not None:
            entry.update(strides=list(span.strides), offset=span.offset, shift=span.shift)
        if not array.flags.writeable:
            entry["readonly"] = True
        self.arrays.append(entry)
        self.spans.append(span.memory)
        self.size += len(span.memory)
        return number


def name_of(dtype: np.dtype[Any]) -> str:
    """The name under which a dtype travels."""
    if dtype == BFLOAT16:
        return "bfloat16"
    return dtype.name if dtype.isbuiltin == 2 else "object" if dtype.hasobject else dtype.str


def _dtype_of(name: str) -> np.dtype[Any]:
    if name == "bfloat16":
        return BFLOAT16
    try:
        return np.dtype(name)
    except (TypeError, SyntaxError):  # one of ml_dtypes; without it, its name alone
        try:
            ml_dtypes = importlib.import_module("ml_dtypes")
            known: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        except (ImportError, AttributeError, TypeError):
            raise Broken(f"found an array of the unknown dtype {name!r}") from None
        return known


def encode(message: Mapping[str, Any]) -> tuple[bytes, list[tuple[int, Array]], int]:
    """The head, each array's bytes with their place, and how many bytes there are of all."""
    head = _Head()
    body = head.plain(message)
    written = json.dumps({"message": body, "arrays": head.arrays} if head.arrays else {"message": body}, separators=(",", ":"))
    places = [entry["at"] for entry in head.arrays if "at" in entry]
    return written.encode(), list(zip(places, head.spans)), head.size


def decode(head: bytes, memory: Any) -> Message:
    """A message of its parts; its arrays are their own, in the layout that they had.

    Raises:
        Broken: this is none.
    """
    try:
        read = json.loads(head)
        whole = np.frombuffer(memory, np.uint8) if len(memory) else np.empty(0, np.uint8)
        arrays = [_laid_out(entry, whole) for entry in read.get("arrays", ())]
        message = _restored(read["message"], arrays)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError, RecursionError) as error:
        raise Broken(f"found no message ({type(error).__name__}: {str(error)[:100]})") from None
    if not isinstance(message, dict):
        raise Broken(f"found {type(message).__name__} as a message, expected an object")
    return message


def _laid_out(entry: Mapping[str, Any], whole: Array) -> Array:
    dtype, shape = _dtype_of(entry["dtype"]), tuple(entry["shape"])
    if dtype.hasobject:
        return np.empty(shape, dtype)
    at, length = entry["at"], entry["length"]
    if not 0 <= at <= at + length <= len(whole):
        raise ValueError("an array lies outside of the bytes that came")
    strides = entry.get("strides")
    if strides is not None:  # the bytes of no element may lie outside either; numpy looks, but its own numbers wrap around
        reach = [(count - 1) * stride for count, stride in zip(shape, strides)]
        if not sum(abs(part) for part in reach if part < 0) <= entry["offset"] <= length - dtype.itemsize - sum(p for p in reach if p > 0):
            raise ValueError("an array reaches outside of its bytes")
        span = Span(whole[at : at + length], tuple(strides), entry["offset"], entry["shift"] % ALIGNMENT)
    elif math.prod(shape) * dtype.itemsize == length:
        span = Span(whole[at : at + length])
    else:
        raise ValueError("an array has more or less than its bytes")
    array = span.laid_out(shape, dtype)
    array.flags.writeable = not entry.get("readonly", False)
    return array


def _restored(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, dict):
        if len(value) == 1:
            if isinstance(value.get("array"), int):
                return arrays[value["array"]]
            if isinstance(value.get("complex"), list):
                return complex(*value["complex"])
        return {key: _restored(item, arrays) for key, item in value.items()}
    return [_restored(item, arrays) for item in value] if isinstance(value, list) else value


class Shared:
    """A file that two processes map: one half of it for what the judge writes, the other for what the runner does."""

    def __init__(self, descriptor: int, size: int, *, first_half: bool) -> None:
        self.size = size // 2
        self._map = mmap.mmap(descriptor, size)
        self._mine, self._theirs = (0, self.size) if first_half else (self.size, 0)

    def write(self, parts: list[tuple[int, Array]]) -> None:
        """Copy arrays to their places in the own half."""
        for at, part in parts:
            start = self._mine + at
            self._map[start : start + len(part)] = part.data

    def read(self, size: int) -> bytes:
        """A copy of what the other side wrote."""
        return self._map[self._theirs : self._theirs + size]


@dataclass(frozen=True)
class Parcel:
    """A message as it is written."""

    head: bytes
    parts: list[tuple[int, Array]]
    """The bytes of each array, and where they are among those of all."""
    of_arrays: int

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.head) + self.of_arrays


class Pipe:
    """One end of the line between two processes, one message at a time in each direction.

    ``is_gone`` says whether the other one has ended; what it left behind may hold the pipe open.
    """

    def __init__(self, reading: int, writing: int, is_gone: Callable[[], bool] = lambda: False) -> None:
        self._in, self._out, self._is_gone = reading, writing, is_gone
        self._here = bytearray()  # what has come beyond the last message
        self.shared: Shared | None = None

    def send(self, message: Mapping[str, Any]) -> None:
        """Write a message.

        Raises:
            OSError: nobody reads it.
        """
        self.post(self.parcel(message))

    def parcel(self, message: Mapping[str, Any]) -> Parcel:
        """A message that can be written."""
        return Parcel(*encode(message))

    def post(self, parcel: Parcel) -> None:
        """Write it.

        Raises:
            OSError: nobody reads it.
        """
        size = parcel.of_arrays
        mapped = self.shared is not None and LARGE <= size <= self.shared.size
        pieces: list[Any] = [_SIZES.pack(len(parcel.head), size, mapped), parcel.head]
        if mapped and self.shared is not None:
            self.shared.write(parcel.parts)
        else:
            position = 0
            for at, part in parcel.parts:
                pieces += (bytes(at - position), part.data)
                position = at + len(part)
        view = memoryview(b"".join(pieces))  # one call of the system for most messages
        while view:
            view = view[os.write(self._out, view) :]

    @property
    def has_more(self) -> bool:
        """Whether something has come that is not read yet."""
        return bool(self._here) or bool(select.select([self._in], [], [], 0)[0])

    def receive(self, deadline: float = float("inf")) -> Message:
        """The next message.

        Raises:
            Late: it did not come before the deadline, in the seconds of ``time.monotonic``.
            Broken: what came is no message, or the other side is gone.
        """
        length, size, mapped = _SIZES.unpack(self._read(_SIZES.size, deadline))
        if length > MOST_HEAD:
            raise Broken("found no message (its length is impossible)")
        head = self._read(length, deadline)
        if mapped:
            if self.shared is None or size > self.shared.size:
                raise Broken("found a message in a file that there is not")
            return decode(head, self.shared.read(size))
        return decode(head, self._read(size, deadline))

    def _read(self, size: int, deadline: float) -> bytes:
        """So many bytes; room for them is made as they come, since a length may be a lie."""
        while len(self._here) < size:
            try:
                if deadline != float("inf"):
                    self._wait(deadline)
                part = os.read(self._in, max(min(size - len(self._here), 1 << 22), 1 << 16))
            except OSError as error:
                raise Broken(f"its pipe cannot be read ({error.strerror})") from None
            if not part:
                raise Broken("")
            self._here += part
        found = bytes(self._here[:size])
        del self._here[:size]
        return found

    def _wait(self, deadline: float) -> None:
        """Until there is something to read. Whether the other side is gone is looked at every second."""
        gone = False
        while True:
            left = deadline - time.monotonic()
            if select.select([self._in], [], [], max(min(left, 0.0 if gone else 1.0), 0.0))[0]:
                return
            if gone:
                raise Broken("")
            if left <= 0:
                raise Late
            gone = self._is_gone()  # what it wrote last is still read
