"""Messages arrive as they were sent, arrays with their memory; what is no message is refused, whatever it is made of."""

from __future__ import annotations

import json
import math
import os
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conformance.checks.laws.memory import LAYOUTS
from conformance.numerics.formats import FORMATS, Array
from conformance.numerics.layout import ALIGNMENT
from conformance.runner.frames import LARGE, MOST_HEAD, Broken, Late, Message, Pipe, Shared, decode, encode

DTYPES = (*(f.dtype for f in FORMATS.values()), *map(np.dtype, ("bool", "int8", "uint64", ">f4", "complex64", "complex128", "longdouble")))
PATIENCE = 60.0


def written(message: Message) -> tuple[bytes, bytes]:
    """The head of a message, and all bytes of its arrays."""
    head, parts, size = encode(message)
    memory = bytearray(size)
    for at, part in parts:
        memory[at : at + len(part)] = part.tobytes()
    return head, bytes(memory)


def there(message: Message) -> Message:
    """A message as it arrives."""
    return decode(*written(message))


def steps(array: Array) -> list[int]:
    """The strides that are ever taken."""
    return [stride for length, stride in zip(array.shape, array.strides, strict=True) if length > 1]


def alike(found: Array, sent: Array) -> bool:
    """The same bits of the same dtype and shape, laid out alike, in memory of its own."""
    assert (found.dtype, found.shape) == (sent.dtype, sent.shape)
    assert found.tobytes() == sent.tobytes()
    assert found.flags.aligned == sent.flags.aligned
    assert found.flags.writeable == sent.flags.writeable
    assert not np.shares_memory(found, sent)
    return steps(found) == steps(sent) or not sent.size


class Line:
    """Two pipes that are connected: what one end sends the other receives."""

    def __init__(self) -> None:
        (a, b), (c, d) = os.pipe(), os.pipe()
        self.judge, self.runner = Pipe(c, b), Pipe(a, d)
        self.ends = {"judge reads": c, "judge writes": b, "runner reads": a, "runner writes": d}

    def close(self, *names: str) -> None:
        for name in names or list(self.ends):
            if (end := self.ends.pop(name, None)) is not None:
                os.close(end)

    def raw(self, data: bytes) -> None:
        """Bytes to the judge that no pipe has written."""
        os.write(self.ends["runner writes"], data)

    def sent(self, message: Message) -> Message:
        """A message through the pipe, from the runner to the judge."""
        sender = threading.Thread(target=self.runner.send, args=(message,))  # the pipe holds less than a large message
        sender.start()
        found = self.judge.receive(time.monotonic() + PATIENCE)
        sender.join()
        return found


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


@pytest.fixture
def mapped(line: Line) -> Line:
    """A line with a file beside it, whose halves hold 4 MiB each."""
    with tempfile.TemporaryFile() as file:
        os.truncate(file.fileno(), 8 * LARGE)
        line.judge.shared, line.runner.shared = (Shared(file.fileno(), 8 * LARGE, first_half=first) for first in (True, False))
    return line


# ---- plain values ----


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({}, {}),
        ({"a": [1, -2, 2**70, 0.1, True, False, None, "μ\udcff"]}, {"a": [1, -2, 2**70, 0.1, True, False, None, "μ\udcff"]}),
        ({"a": {"b": {"c": [[], {}, [{"d": []}]]}}}, {"a": {"b": {"c": [[], {}, [{"d": []}]]}}}),
        ({"a": (1, (2, 3))}, {"a": [1, [2, 3]]}),
        ({1: "a"}, {"1": "a"}),
        ({"a": 1 - 2j, "b": [complex(math.inf, -0.0)]}, {"a": 1 - 2j, "b": [complex(math.inf, -0.0)]}),
        ({"a": [math.inf, -math.inf, -0.0, 5e-324]}, {"a": [math.inf, -math.inf, -0.0, 5e-324]}),
        ({"a": np.float32(0.5), "b": np.int8(-3), "c": np.bool_(True), "d": np.complex64(1j)}, {"a": 0.5, "b": -3, "c": True, "d": 1j}),  # noqa: FBT003 - it is the value
    ],
)
def test_plain_values_arrive_as_they_are(sent: Message, found: Message) -> None:
    assert repr(there(sent)) == repr(found)


def test_not_a_number_arrives() -> None:
    assert math.isnan(there({"a": math.nan})["a"])


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def names_an_array(value: Any) -> bool:
    """Whether somewhere in it is what stands for an array, or for a complex number: no message of ours has those names alone."""
    if isinstance(value, dict):
        return value.keys() in ({"array"}, {"complex"}) or any(map(names_an_array, value.values()))
    return isinstance(value, list) and any(map(names_an_array, value))


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(), PLAIN, max_size=4).filter(lambda message: not names_an_array(message)))
def test_every_plain_message_arrives_as_it_is(message: Message) -> None:
    assert repr(there(message)) == repr(message)


# ---- arrays ----


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (4, 8)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_array_lies_in_memory_there_as_it_does_here(layout: str, shape: tuple[int, ...], dtype: str) -> None:
    numbers = np.arange(1, 1 + math.prod(shape)).reshape(shape).astype(FORMATS[dtype].dtype)
    sent = LAYOUTS[layout](numbers)
    found = there({"a": [{"b": sent}]})["a"][0]["b"]
    assert alike(found, sent)
    if sent.strides and not (sent.flags.c_contiguous and sent.flags.aligned):
        assert found.ctypes.data % ALIGNMENT == sent.ctypes.data % ALIGNMENT


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_keeps_its_bits(dtype: np.dtype[Any]) -> None:
    sent = np.arange(-3, 5).astype(dtype)
    assert alike(there({"a": sent})["a"], sent)
    assert alike(there({"a": sent[::-2]})["a"], sent[::-2])


@pytest.mark.parametrize("name", ["float8_e5m2", "float8_e4m3fn", "int4"])
def test_a_dtype_of_ml_dtypes_travels_by_its_name(name: str) -> None:
    sent = np.array([0.5, 2, -1]).astype(getattr(ml_dtypes, name))
    assert alike(there({"a": sent})["a"], sent)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (0, 3), (1,), (1, 1)])
def test_no_axis_and_no_element(shape: tuple[int, ...]) -> None:
    sent = np.full(shape, 2.5)
    found = there({"a": sent})["a"]
    assert isinstance(found, np.ndarray)
    assert alike(found, sent)


def test_nothing_of_something_that_is_strided() -> None:
    sent = np.zeros((4, 6))[::-1, 3:3:2]
    assert there({"a": sent})["a"].shape == (4, 0)


def test_of_objects_only_the_shape_arrives() -> None:
    found = there({"a": np.full((2, 3), object()), "b": np.ones(3)})
    assert (found["a"].shape, found["a"].dtype) == ((2, 3), np.dtype(object))
    assert found["a"][0, 0] is None
    assert there({"a": np.zeros(2, [("b", "O"), ("c", "f4")])})["a"].shape == (2,)
    assert found["b"].tolist() == [1, 1, 1]


def test_what_may_not_be_written_to_may_not_be_there() -> None:
    sent = [np.ones(3), np.ones(6)[::2]]
    for array in sent:
        array.flags.writeable = False
        assert alike(there({"a": array})["a"], array)


def test_one_array_that_occurs_twice_is_one_and_two_that_are_equal_are_two() -> None:
    one, other, part = np.ones(4), np.ones(4), np.ones(8)[::2]
    found = there({"a": one, "b": [one, other], "c": {"d": one, "e": part, "f": part}})
    assert found["a"] is found["b"][0] is found["c"]["d"]
    assert found["a"] is not found["b"][1]
    assert not np.shares_memory(found["a"], found["b"][1])
    assert found["c"]["e"] is found["c"]["f"]
    assert len(encode({"a": [one] * 50})[1]) == 1


def test_an_array_that_lives_for_a_moment_is_not_taken_for_the_next() -> None:
    """Two of them may have the same id, one after the other."""

    class Passing(dict[str, Any]):
        def items(self) -> Any:
            return ((str(number), np.full(3, number)) for number in range(50))

    found = there({"a": Passing()})
    assert [found["a"][str(number)].tolist() for number in range(50)] == [[number] * 3 for number in range(50)]


def test_memory_that_is_shared_within_an_array_stays_shared() -> None:
    found = there({"a": np.lib.stride_tricks.as_strided(np.ones(4), (3, 4), (0, 8), writeable=True)})["a"]
    found[0, 1] = 9
    assert found[:, 1].tolist() == [9, 9, 9]


def test_each_array_begins_where_every_element_is_aligned() -> None:
    _, parts, size = encode({"a": np.ones(3, np.int8), "b": np.ones(5), "c": np.ones((), np.int16), "d": np.ones(2)})
    assert [at % ALIGNMENT for at, _ in parts] == [0] * 4
    assert size == parts[-1][0] + len(parts[-1][1])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_view_of_every_array_arrives_as_it_is(data: st.DataObject) -> None:
    kinds = hnp.floating_dtypes() | hnp.integer_dtypes() | hnp.complex_number_dtypes() | hnp.boolean_dtypes() | st.sampled_from(DTYPES)
    dtype, shape = data.draw(kinds), data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    memory = np.frombuffer(data.draw(st.binary(min_size=1, max_size=32)) * (32 * 5**4), np.uint8).copy()
    shift = data.draw(st.integers(0, 9))
    whole: Array = np.ndarray(shape, dtype, memory, shift)
    view = np.asarray(whole[data.draw(hnp.basic_indices(shape, max_dims=5, allow_newaxis=True))]).view()
    if data.draw(st.booleans()):
        view = view.T
    view.flags.writeable = data.draw(st.booleans())
    assert alike(there({"a": view})["a"], view)


# ---- what is no message ----


def hostile(message: object, *arrays: object) -> bytes:
    return json.dumps({"message": message, "arrays": arrays}).encode()


ONE = {"a": {"array": 0}}
CONTIGUOUS: dict[str, object] = {"dtype": "<f4", "shape": [4], "at": 0, "length": 16}
"""Four numbers of 16 bytes."""
STRIDED: dict[str, object] = {**CONTIGUOUS, "shape": [2], "strides": [8], "offset": 0, "shift": 0}
"""The first and the third of them."""

NO_MESSAGES = (
    *(b"", b"{", b"\xff\xfe\x00\xd8", b"null", b"[]", b"{}", b'"message"', b'{"message":[1]}', b'{"message":null}'),
    *(b'{"message":{},"arrays":7}', b'{"message":{},"arrays":{"a":1}}', b'{"message":{},"arrays":[7]}'),
    b'{"message":{"a":{"array":0}}}',
    b'{"message":{"a":' + b"9" * 5000 + b"}}",
    b"[" * 1_000_000,
    b'{"message":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    b'{"message":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
    hostile({"a": {"array": 1}}, CONTIGUOUS),
    hostile({"a": {"array": 10**30}}, CONTIGUOUS),
    hostile({"a": {"complex": ["1", "2"]}}),
    hostile({"a": {"complex": [1, 2, 3]}}),
    hostile({"a": {"complex": [10**400, 1]}}),
    hostile(ONE, {}),
)
NO_ARRAYS: dict[str, tuple[object, ...]] = {
    "at": (1, -1, 10**30, 0.5, "0", None),
    "length": (17, 15, 0, -16, 10**30, "16", None),
    "shape": ([5], [2**62, 2**62], 4, ["4"], [0.5], [1] * 100, None),
    "dtype": ("float33", "no such dtype", "__dict__", "__doc__", "(1,", "V0", "S0", "<f8", 7, ["f4"], {"names": ["a"]}),
}
NO_VIEWS: dict[str, tuple[object, ...]] = {
    "shape": ([3], [-2], [2**40], [2, 2], [], 2),
    "strides": ([16], [13], [-8], [10**30], [2**63], [8, 8], [], 8, ["8"], [8.0], [None]),
    "offset": (8, 200, -1, -1000, 2**63, 0.5, "0", None),
    "shift": ("x", 0.5, [], {}),
    "length": (0, 8, 17),
}


def test_the_arrays_that_are_changed_below_are_right() -> None:
    memory = np.arange(4, dtype=np.float32).tobytes()
    assert decode(hostile(ONE, CONTIGUOUS), memory)["a"].tolist() == [0, 1, 2, 3]
    assert decode(hostile(ONE, STRIDED), memory)["a"].tolist() == [0, 2]


@pytest.mark.parametrize(
    "head",
    [
        *NO_MESSAGES,
        *(hostile(ONE, {**CONTIGUOUS, name: value}) for name, values in NO_ARRAYS.items() for value in values),
        *(hostile(ONE, {**STRIDED, name: value}) for name, values in NO_VIEWS.items() for value in values),
        *(hostile(ONE, {**CONTIGUOUS, "dtype": "O", "shape": shape}) for shape in ([-1], [2**62])),
        *(hostile(ONE, {**STRIDED, "shape": [5], "strides": [stride]}) for stride in (2**62, -(2**62), 2**61)),  # as numpy counts, nothing
        hostile(ONE, {**STRIDED, "shape": [5, 5], "strides": [2**61, 2**61]}),
        hostile(ONE, {**STRIDED, "shape": [2**40, 2**40], "strides": [0, 0]}),
    ],
    ids=lambda head: head[:120].decode("latin1"),
)
def test_what_is_no_message_is_refused(head: bytes) -> None:
    with pytest.raises(Broken):
        decode(head, np.arange(4, dtype=np.float32).tobytes())


MESSAGE: Message = {"a": np.arange(4.0)[::-2], "b": [np.ones((2, 3), np.float32), 1, "c"], "d": np.ones(2, FORMATS["bfloat16"].dtype)}


def decoded_or_broken(head: bytes, memory: bytes) -> None:
    with suppress(Broken):
        assert isinstance(decode(head, memory), dict)


WRONG = st.binary(max_size=3) | st.sampled_from([b"-", b"0", b"99", b"[", b"}", b'"', b","])


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_a_message_in_which_bytes_are_wrong_is_read_or_refused(data: st.DataObject) -> None:
    head, memory = map(bytearray, written(MESSAGE))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(head) - 1))
        head[place : place + data.draw(st.integers(0, 3))] = data.draw(WRONG)
    decoded_or_broken(bytes(head), bytes(memory[: data.draw(st.integers(0, len(memory)))]))


HUGE = st.integers(-(2**70), 2**70) | st.sampled_from([2**63 - 1, 2**63, -(2**63), 2**62, 2**31, 0, -1])
PLAINLY = st.none() | st.booleans() | HUGE | st.floats() | st.text(max_size=6)
ANYTHING = st.recursive(PLAINLY, lambda inner: st.lists(inner, max_size=3), max_leaves=6)
NAMES = st.text(max_size=6) | st.sampled_from(
    ["<f4", "|u1", "O", "bfloat16", "void", "|V3", "<U2", "<M8[ns]", "f4,f4", "(2,2)f4", "(1,", "a{", "finfo", "float8_e5m2"]
)


@pytest.mark.filterwarnings("ignore:Data type alias:DeprecationWarning")
@settings(max_examples=1000, deadline=None)
@given(
    st.fixed_dictionaries(
        {"dtype": NAMES, "shape": st.lists(st.integers(0, 4), max_size=3) | ANYTHING, "at": st.integers(-1, 20) | ANYTHING},
        optional={
            "length": st.integers(-1, 20) | ANYTHING,
            "strides": st.lists(st.integers(-9, 9) | HUGE, max_size=3) | ANYTHING,
            "offset": st.integers(-1, 200) | ANYTHING,
            "shift": st.integers(-1, 70) | ANYTHING,
            "readonly": ANYTHING,
        },
    )
)
@example({"dtype": "<f4", "shape": [5], "at": 0, "length": 16, "strides": [2**62], "offset": 0, "shift": 0})
def test_an_array_of_whatever_description_is_read_or_refused(entry: dict[str, object]) -> None:
    head = json.dumps({"message": ONE, "arrays": [entry]}).encode()
    with suppress(Broken):
        found = decode(head, bytes(range(16)))["a"]
        if 0 < found.size < 1000 and not found.dtype.hasobject:
            found.tobytes()  # all of it can be read


# ---- the line ----


def test_messages_go_both_ways(line: Line) -> None:
    for number in range(3):
        line.judge.send({"call": number, "a": np.arange(number)})
        found = line.runner.receive()
        line.runner.send({"reply": found["call"], "b": found["a"][::-1]})
        back = line.judge.receive(time.monotonic() + PATIENCE)
        assert (back["reply"], back["b"].tolist()) == (number, list(range(number))[::-1])


def test_a_message_that_ends_too_early_is_none(line: Line) -> None:
    line.runner.send(MESSAGE)
    whole = os.read(line.ends["judge reads"], 1 << 16)
    for size in range(len(whole)):
        cut = Line()
        cut.raw(whole[:size])
        cut.close("runner writes")
        with pytest.raises(Broken):
            cut.judge.receive(time.monotonic() + PATIENCE)
        cut.close()


@pytest.mark.parametrize(
    "start",
    [
        struct.pack("<QQB", MOST_HEAD + 1, 0, 0),
        struct.pack("<QQB", 2**64 - 1, 0, 0),
        struct.pack("<QQB", MOST_HEAD, 0, 0),
        struct.pack("<QQB", 14, 2**64 - 1, 0) + b'{"message":{}}',
        struct.pack("<QQB", 14, 16, 1) + b'{"message":{}}',
        struct.pack("<QQB", 14, 2**64 - 1, 1) + b'{"message":{}}',
        b"Traceback (most recent call last):\n",
        b"\n" * 100,
    ],
)
def test_a_length_that_is_a_lie_is_refused_before_there_is_room_for_it(line: Line, start: bytes) -> None:
    line.raw(start)
    line.close("runner writes")
    with pytest.raises(Broken):
        line.judge.receive(time.monotonic() + PATIENCE)


def test_a_message_in_a_file_that_it_does_not_fit_into_is_refused(mapped: Line) -> None:
    for size in (4 * LARGE + 1, 2**64 - 1):
        mapped.raw(struct.pack("<QQB", 14, size, 1) + b'{"message":{}}')
        with pytest.raises(Broken, match="in a file that there is not"):
            mapped.judge.receive()


def test_what_does_not_come_in_time_is_late(line: Line) -> None:
    started = time.monotonic()
    with pytest.raises(Late):
        line.judge.receive(started + 0.2)
    assert 0.2 <= time.monotonic() - started < PATIENCE
    line.raw(struct.pack("<QQB", 14, 0, 0) + b'{"mess')
    with pytest.raises(Late):
        line.judge.receive(time.monotonic() + 0.2)


def test_what_is_there_already_is_never_late(line: Line) -> None:
    line.runner.send({"a": np.ones(5)})
    assert line.judge.receive(time.monotonic() - 100)["a"].tolist() == [1] * 5


def test_the_end_of_the_other_side_is_seen_where_others_hold_the_pipe_open() -> None:
    """And what it wrote last is still read."""
    gone = False
    held = Line()
    judge = Pipe(held.ends["judge reads"], held.ends["judge writes"], lambda: gone)
    held.runner.send({"a": 1})
    gone = True
    assert judge.receive(time.monotonic() + PATIENCE) == {"a": 1}
    started = time.monotonic()
    with pytest.raises(Broken, match=r"^$"):
        judge.receive(started + PATIENCE)
    assert time.monotonic() - started < PATIENCE / 2
    held.close()


def test_nobody_reads(line: Line) -> None:
    line.close("judge reads")
    with pytest.raises(OSError, match="pipe"):
        line.runner.send({"a": 1})


def test_a_pipe_that_is_closed_here_cannot_be_read(line: Line) -> None:
    line.close("judge reads")
    for deadline in (float("inf"), time.monotonic() + PATIENCE):
        with pytest.raises(Broken, match=r"its pipe cannot be read \(Bad file descriptor\)"):
            line.judge.receive(deadline)


# ---- large arrays ----


def counted(line: Line, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bytes that go through the pipe."""
    written, seen = os.write, []

    def write(descriptor: int, data: Any) -> int:
        done = written(descriptor, data)
        seen.append(done)
        return done

    monkeypatch.setattr(os, "write", write)
    return seen


@pytest.mark.parametrize(
    ("elements", "through_the_pipe"), [(LARGE // 8 - 1, True), (LARGE // 8, False), (LARGE // 2, False), (LARGE // 2 + 1, True)]
)
def test_large_arrays_go_through_the_file_where_they_fit(
    mapped: Line,
    monkeypatch: pytest.MonkeyPatch,
    elements: int,
    through_the_pipe: bool,  # noqa: FBT001 - of a table
) -> None:
    sent = np.random.default_rng(1).normal(size=elements)
    seen = counted(mapped, monkeypatch)
    found = mapped.sent({"a": sent, "n": 1})
    assert alike(found["a"], sent)
    assert (sum(seen) > 1000) == through_the_pipe


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_large_array_keeps_its_layout(mapped: Line, line: Line, layout: str) -> None:
    sent = LAYOUTS[layout](np.random.default_rng(1).normal(size=(400, 500)))
    assert alike(mapped.sent({"a": sent})["a"], sent)


def test_without_a_file_large_arrays_go_through_the_pipe(line: Line) -> None:
    sent = np.random.default_rng(1).normal(size=(1000, 500))
    assert alike(line.sent({"a": sent})["a"], sent)
    assert alike(line.sent({"a": sent[::-1, ::3]})["a"], sent[::-1, ::3])


def test_what_has_arrived_is_not_changed_by_what_comes_next(mapped: Line) -> None:
    """In neither direction: each side writes into its own half, and reads a copy."""
    first, second, third = (np.full(LARGE // 4, number, np.float64) for number in (1, 2, 3))
    found = mapped.sent({"a": first})["a"]
    mapped.judge.send({"b": second})
    mapped.runner.send({"c": third})
    assert mapped.judge.receive()["c"].min() == 3
    assert mapped.runner.receive()["b"].max() == 2
    found[...] = 7
    mapped.runner.send({"d": first})
    assert (found.min(), found.max()) == (7, 7)
    assert mapped.judge.receive()["d"].max() == 1
