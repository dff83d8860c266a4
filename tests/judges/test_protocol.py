"""What a run and a judge say to each other arrives as it was sent, and nothing else is taken for it."""

from __future__ import annotations

from typing import Any

import pytest
from one_target import cells_of, request_of
from pydantic import ValidationError

from conformance.judges.protocol import Description, DeviceDescription, ImplementationDescription, Reply, Request
from conformance.run.profiles import PROFILES
from conformance.workers.in_process import _sent

REQUEST = request_of("mse/mean/law/swap", "mine")


def sent(message: Any, **more: Any) -> Any:
    """A message as it arrives."""
    return type(message).model_validate({**_sent(message.model_dump(mode="json", exclude_defaults=isinstance(message, Reply))), **more})


@pytest.mark.parametrize("profile", PROFILES)
def test_a_request_arrives_as_it_is(profile: str) -> None:
    request = REQUEST.model_copy(update={"budget": PROFILES[profile].budget, "timeout": 2.5})
    assert sent(request) == request


def test_a_reply_arrives_as_it_is() -> None:
    cells = cells_of("mse/mean/case/mean-thirds", lambda p, t: abs(p - t).mean())
    assert {cell.outcome for cell in cells} == {"fail", "unsupported"}
    for reply in (Reply(cells=tuple(cells), uses_random_inputs=False, lost=True), Reply(cells=())):
        assert sent(reply) == reply


def test_a_description_arrives_as_it_is() -> None:
    implementation = ImplementationDescription(name="a", entry="a.b", operation="mse/mean", modes=("eager",), dtypes=("float32",))
    device = DeviceDescription(name="cpu", kind="cpu", flushes_subnormals=("float32",))
    description = Description(framework="numpy", version="1", flags={"a": "b"}, devices=(device,), implementations=(implementation,))
    assert sent(description) == description


def test_what_is_said_beyond_is_refused() -> None:
    for message in (REQUEST, Reply(cells=()), Description()):
        with pytest.raises(ValidationError):
            sent(message, more=1)


def test_a_request_has_a_timeout() -> None:
    without = REQUEST.model_dump(mode="json", exclude={"timeout"})
    with pytest.raises(ValidationError, match="timeout"):
        Request.model_validate(without)
