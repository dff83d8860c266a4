"""The door for an implementation of one's own: a decorator, and the loading of a file that uses it.

Imports no framework: the file does, and the framework's adapter.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from conformance.frameworks.domain import Domain, Known
from conformance.mistake import Mistake

if TYPE_CHECKING:
    from conformance.frameworks.base import Implementation, Stream

DTYPES = ("float16", "bfloat16", "float32", "float64")
ARGUMENTS = ("prediction", "target", "weight")
LAYOUTS = ("transposed", "strided", "a window", "backwards", "repeated", "unaligned", "read-only")
MOST_AXES = 8


class _Uncached(importlib.machinery.SourceFileLoader):
    """Leaves no ``__pycache__`` beside the user's file, and never takes an old one for the file."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader is of this one file
        return self.source_to_code(self.get_data(self.path), self.path)


class SubjectError(Mistake):
    """A subject file that cannot be used; the message is one sentence that says where and why."""


@dataclass
class Subject:
    """One decorated function. ``framework`` is as the decorator was given it, ``adapter`` the one that runs it."""

    name: str
    operation: str
    framework: str
    adapter: str
    call: Callable[..., Any]
    modes: tuple[str, ...]
    dtypes: tuple[str, ...]
    file: str
    gradient: Callable[..., Any] | None = None
    stream: Stream | None = None
    domain: Domain = field(default_factory=Domain)

    def implementation(self) -> Implementation:
        """The subject as it is run, named after its function."""
        from conformance.frameworks.base import Implementation  # would import NumPy with the package

        entry = f"{Path(self.file).name}:{self.name}"
        return Implementation(self.name, entry, self.operation, self.call, self.modes, self.dtypes, self.gradient, self.stream, self.domain)


_registered: list[Subject] = []


def implementation(
    operation: str,
    *,
    framework: str,
    modes: Sequence[str] = ("eager",),
    dtypes: Sequence[str] | None = None,
    name: str | None = None,
    ranks: Sequence[int] = (),
    shapes: Sequence[Sequence[int]] = (),
    integers: bool = False,
    mixed_dtypes: bool = False,
    mask_dtype: str = "",
    layouts: Sequence[str] | None = None,
    gradients: Sequence[str] | None = None,
    second_derivative: bool = False,
    flushes_subnormals: bool = False,
    half_result: str = "",
    known: Sequence[Known] = (),
) -> Callable[[Callable[..., Any]], Any]:
    """Declare that a function computes an operation: ``call(prediction, target[, weight])`` on the framework's tensors.

    The function stays what it was, and gets two attributes; what takes none, such as a bound method, comes back inside of an object
    that does. ``gradient`` is a decorator for a function
    ``(prediction, target[, weight], upstream) -> (d/d prediction, d/d target[, d/d weight])``, which takes the place of automatic
    differentiation; None in its result is a gradient that it does not have. ``stream`` is one for a function ``batches -> value``, where
    the value can be accumulated: each batch is a tuple of the function's own arguments.

    What is declared beyond operation and framework limits what the function is held to, or adds to it, and is tested. Undeclared, a
    function takes two arrays of one shape and dtype, contiguous or not, and whatever its framework differentiates must be right.

    Args:
        operation: what it claims to compute, such as ``mse/mean``.
        framework: whose tensors it takes: numpy, torch, tensorflow, jax, keras, or the name of a further adapter.
        modes: how it is to be run, in the framework's words: ``("eager", "compile")``.
        dtypes: what it is to be run in; by default all floating formats of the framework.
        name: its name in the results; the function's by default.
        ranks: the numbers of axes that its inputs may have: ``(4,)`` for images.
        shapes: the only shapes that its inputs may have.
        integers: whether it takes integers and truth values, and must be right for them.
        mixed_dtypes: whether it takes two float formats in one call, and must be right for them.
        mask_dtype: ``"bool"`` where a mask comes in truth values, and not in numbers of the prediction's dtype.
        layouts: beside contiguous memory that may be written to, those that it takes: some of transposed, strided, a window, backwards,
            repeated, unaligned, read-only.
        gradients: of which arguments it has one: some of prediction, target, weight.
        second_derivative: whether it can be differentiated twice, and must be right then.
        flushes_subnormals: whether it takes subnormal numbers as zero.
        half_result: ``"float16"`` or ``"bfloat16"`` where it returns results of wider inputs in that format.
        known: failures that are known, each a :class:`Known` with its reason and a date.

    Raises:
        SubjectError: an argument is not what it should be.
    """
    _text("operation", operation, "an operation such as 'mse/mean'")
    if "/" not in operation:
        raise SubjectError(f"found the operation {operation!r}, expected a name such as 'mse/mean'")
    adapter = _adapter(framework)
    modes = _check_names("modes", modes)
    domain = Domain(
        _ranks(ranks),
        _shapes(shapes),
        dtypes is not None,
        _flag("integers", integers),
        _flag("mixed_dtypes", mixed_dtypes),
        _one_of("mask_dtype", mask_dtype, ("", "bool")),
        None if layouts is None else _some_of("layouts", layouts, LAYOUTS),
        None if gradients is None else _some_of("gradients", gradients, ARGUMENTS),
        _flag("second_derivative", second_derivative),
        _flag("flushes_subnormals", flushes_subnormals),
        _one_of("half_result", half_result, ("", "float16", "bfloat16")),
        _known(known),
    )
    taken = _default_dtypes(adapter) if dtypes is None else _some_of("dtypes", _check_names("dtypes", dtypes), DTYPES)

    def register(function: Callable[..., Any]) -> Any:
        if not callable(function):
            raise SubjectError(f"found {type(function).__name__} under the decorator, expected a function")
        own = name if name is not None else getattr(function, "__name__", type(function).__name__)
        if not isinstance(own, str) or not re.fullmatch(r"[A-Za-z0-9._-]+", own):
            raise SubjectError(f"found the name {own!r}, expected letters, digits, '.', '_' and '-': pass name= to the decorator")
        code = getattr(function, "__code__", None)
        file = code.co_filename if code else "<subject>"
        subject = Subject(own, operation, framework, adapter, function, modes, taken, file, domain=domain)
        _registered.append(subject)

        def gradient(rule: Callable[..., Any]) -> Callable[..., Any]:
            subject.gradient = rule
            return rule

        def stream(rule: Stream) -> Stream:
            subject.stream = rule
            return rule

        registered: Any = function
        try:
            registered.gradient, registered.stream = gradient, stream
        except (AttributeError, TypeError):  # a bound method, a builtin or an object with slots
            registered = _Registered(function)
            registered.gradient, registered.stream = gradient, stream
        return registered

    return register


class _Registered:
    """Calls a function that takes no attributes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._function(*arguments, **keywords)


def load_subjects(path: str | os.PathLike[str]) -> list[Subject]:
    """Execute a file as a module and return what it registers, in the file's order.

    Raises:
        SubjectError: there is no such file, it does not run, it registers nothing, or one name twice for a framework.
    """
    file = Path(path)
    if not file.is_file():
        raise SubjectError(f"{path}: found no such file, expected a Python file that uses @conformance.implementation")
    name = f"conformance_subject_{re.sub(r'[^A-Za-z0-9_]', '_', file.stem)}_{abs(hash(file.resolve()))}"
    loader = _Uncached(name, str(file.resolve()))
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader, origin=loader.path))
    module.__file__ = loader.path
    if (folder := str(file.resolve().parent)) not in sys.path:
        sys.path.append(folder)  # modules beside the file are found, as when it is run
    before = len(_registered)
    sys.modules[name] = module  # tf.autograph and pickle look a function's module up by name
    try:
        loader.exec_module(module)
    except SyntaxError as error:
        at = Path(error.filename).name if error.filename and Path(error.filename) != file.resolve() else path
        raise SubjectError(f"{at}:{error.lineno or 1}: found a syntax error ({error.msg}), expected a Python file") from error
    except SubjectError as error:
        raise SubjectError(f"{path}:{_line(error, file)}: {error}") from error
    except (Exception, SystemExit) as error:
        what = " ".join(str(error).split())
        raise SubjectError(
            f"{path}:{_line(error, file)}: found {type(error).__name__}{': ' if what else ''}{what} while the file ran, "
            "expected it to run to its end"
        ) from error
    finally:
        found = _registered[before:]
        del _registered[before:]
    if not found:
        raise SubjectError(f"{path}: found no implementation, expected a function under @conformance.implementation(…, framework=…)")
    seen: set[tuple[str, str]] = set()
    for subject in found:
        subject.file = str(path)
        if (key := (subject.adapter, subject.name)) in seen:
            raise SubjectError(f"{path}: found two implementations {subject.name!r} for {subject.framework}, expected one of each name")
        seen.add(key)
    return found


def _line(error: BaseException, file: Path) -> int:
    """The last line of the file that was running when the exception was raised."""
    resolved = str(file.resolve())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == resolved]
    return next((line for line in reversed(lines) if line), 1)


def _text(what: str, found: object, expected: str) -> str:
    if not isinstance(found, str) or not found:
        raise SubjectError(f"found {found!r} as the {what}, expected {expected}")
    return found


def _adapter(framework: object) -> str:
    """The adapter that runs a framework: that of its name, or of the backend on which its functions would run outside the suite."""
    from conformance.frameworks.registry import KNOWN, frameworks  # a file that declares nothing does without

    names = tuple(dict.fromkeys(info.subject_name for info in KNOWN.values() if info.subject_name))
    framework = _text("framework", framework, f"one of {', '.join(names)}")
    if framework not in names and framework not in frameworks():
        raise SubjectError(f"found the framework {framework!r}, expected one of {', '.join(names)}")
    backends = [info for info in KNOWN.values() if info.subject_name == framework and info.backend_variable]
    if not backends:
        return framework
    chosen = os.environ.get(backends[0].backend_variable)
    return f"{framework}-{chosen}" if chosen else backends[0].name


def _check_names(what: str, found: object) -> tuple[str, ...]:
    """A sequence of strings; one string alone is the usual slip."""
    if isinstance(found, str) or not isinstance(found, Sequence) or not found or not all(isinstance(item, str) for item in found):
        raise SubjectError(f'found {what}={found!r}, expected a tuple of strings such as ("eager",)')
    return tuple(found)


def _some_of(what: str, found: object, known: Sequence[str]) -> tuple[str, ...]:
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise SubjectError(f"found {what}={found!r}, expected a tuple of {', '.join(known)}")
    if unknown := [item for item in found if item not in known]:
        raise SubjectError(f"found the {what.removesuffix('s')} {unknown[0]!r}, expected some of {', '.join(known)}")
    return tuple(found)


def _one_of(what: str, found: object, known: Sequence[str]) -> str:
    if not isinstance(found, str) or found not in known:
        raise SubjectError(f"found {what}={found!r}, expected {' or '.join(repr(item) for item in known if item)}")
    return found


def _flag(what: str, found: object) -> bool:
    if not isinstance(found, bool):
        raise SubjectError(f"found {what}={found!r}, expected True or False")
    return found


def _ranks(found: object) -> tuple[int, ...]:
    ranks = (found,) if isinstance(found, int) else found
    if not isinstance(ranks, Sequence) or not all(type(rank) is int and 0 <= rank <= MOST_AXES for rank in ranks):
        raise SubjectError(f"found ranks={found!r}, expected numbers of axes from 0 to {MOST_AXES}, such as (4,)")
    return tuple(dict.fromkeys(ranks))


def _shapes(found: object) -> tuple[tuple[int, ...], ...]:
    def is_shape(shape: object) -> bool:
        return isinstance(shape, Sequence) and not isinstance(shape, str) and all(type(n) is int and n >= 0 for n in shape)

    if isinstance(found, str) or not isinstance(found, Sequence) or not all(is_shape(shape) for shape in found):
        raise SubjectError(f"found shapes={found!r}, expected a tuple of shapes such as ((8, 3, 32, 32),)")
    return tuple(tuple(shape) for shape in found)


def _known(found: object) -> tuple[Known, ...]:
    if not isinstance(found, Sequence) or not all(isinstance(one, Known) for one in found):
        raise SubjectError(f"found known={found!r}, expected a list of conformance.Known(check, because=…, until=…)")
    for one in found:
        if mistake := one.mistake():
            raise SubjectError(f"in known, of {one.check!r}: {mistake}")
    return tuple(found)


def _default_dtypes(adapter: str) -> tuple[str, ...]:
    """NumPy has no bfloat16 of its own: a subject that wants that of ml_dtypes says so."""
    return tuple(dtype for dtype in DTYPES if dtype != "bfloat16" or adapter != "numpy")
