"""The plugin registry: verifiers, rewards, engines and objectives by name.

A registry reads names from the files of a folder (`knights.py` is "knights", `long_name.py` and
`long_name/__init__.py` are "long-name"), from Python entry points, and from `./file.py:attribute`.
Listing imports nothing.
"""

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Iterable
from functools import cached_property, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from swr1.errors import Ending, UsageError


def suggest(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?' for the nearest known name, or '' when none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean {near[0]!r}?" if near else ""


def check_known(what: str, name: str, known: Collection[str], also: str = "") -> None:
    """Raises UsageError, with a suggestion and all there is, for a name that is not `known`.

    what: what it is a name of, "adapter". also: what else may stand there, "; or a file".
    """
    if name not in known:
        raise UsageError(
            f"unknown {what} {name!r}.{suggest(name, known)} Known: {', '.join(known)}{also}"
        )


def check_choice(option: str, value: Any, known: Iterable[str]) -> None:
    """Raises UsageError for an option whose value is none of a few."""
    if value not in (choices := list(known)):
        raise UsageError(f"{option} is one of {', '.join(choices)}, not {value!r}")


class Registry:
    """Named things of one kind.

    Args:
        kind: what one is called in messages, e.g. "verifier".
        package: the package, and the group of entry points, e.g. "swr1.verifiers".
        attribute: what to take from a module, e.g. "verify".
        folder: the folder of the package whose files and folders are the built-in ones, e.g.
            "builtin"; "" for the package itself, None where there are none.
    """

    def __init__(self, kind: str, package: str, attribute: str, folder: str | None = "") -> None:
        self.kind, self.package, self.attribute, self.folder = kind, package, attribute, folder

    @cached_property
    def _targets(self) -> dict[str, str]:
        package = self.package + (f".{self.folder}" if self.folder else "")
        built_in = {n: f"{package}.{_stem(f)}:{self.attribute}" for n, f in self._built_in.items()}
        plugins = {e.name: e.value for e in entry_points(group=self.package)}
        if clash := built_in.keys() & plugins.keys():
            raise UsageError(f"a plugin redefines the {self.kind} {sorted(clash)[0]!r}")
        return built_in | plugins

    @cached_property
    def _built_in(self) -> dict[str, Path]:
        """The files of the folder by the name of what they hold."""
        if self.folder is None:
            return {}
        spec = importlib.util.find_spec(f"{self.package}.{self.folder}".rstrip("."))
        places = [Path(p) for p in (spec.submodule_search_locations or [] if spec else [])]
        files = [file for place in places for file in sorted(place.glob("[!_]*.py"))]
        files += [file for place in places for file in sorted(place.glob("[!_]*/__init__.py"))]
        return {_stem(file).replace("_", "-"): file for file in files}

    def names(self) -> list[str]:
        return sorted(self._targets)

    def get(self, name: str) -> Any:
        """The thing named `name`, or the attribute of a file named "./mine.py:check".

        Raises UsageError, with a suggestion, for a name nobody registered.
        """
        if ".py:" in name:
            return self._from_file(name)
        if name not in self._targets:
            raise UsageError(
                f"unknown {self.kind} {name!r}.{suggest(name, self._targets)}"
                f" Known: {', '.join(self.names())}; or a file: ./mine.py:{self.attribute}"
            )
        module, _, attribute = self._targets[name].partition(":")
        imported = self._imported(name, module, lambda: importlib.import_module(module))
        return self._function(name, imported, attribute or self.attribute)

    def file(self, name: str) -> Path | None:
        """The source file of what `get` would give; None if there is none. Imports nothing."""
        if ".py:" in name:
            return Path(name.rpartition(":")[0])
        if name in self._built_in:
            return self._built_in[name]
        package, *modules = self._targets.get(name, "").partition(":")[0].split(".")
        spec = importlib.util.find_spec(package) if package else None
        if spec is None or not modules:
            return Path(spec.origin) if spec and spec.origin else None
        for folder in spec.submodule_search_locations or []:
            beside = Path(folder, *modules[:-1])
            for file in (beside / f"{modules[-1]}.py", beside / modules[-1] / "__init__.py"):
                if file.is_file():
                    return file
        return None

    def is_foreign(self, name: str) -> bool:
        """Whether it is a stranger's: from a file or an entry point. Imports nothing."""
        target = self._targets.get(name, "")
        return ".py:" in name or (bool(target) and target.partition(".")[0] != "swr1")

    def _from_file(self, target: str) -> Any:
        file, _, attribute = target.rpartition(":")
        path = Path(file)
        if not path.is_file():
            raise UsageError(f"no file {file!r} for the {self.kind} {target!r}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules.setdefault(path.stem, module)
        execute = partial(spec.loader.exec_module, module)
        self._imported(target, file, execute)
        return self._function(target, module, attribute)

    def _imported(self, target: str, file: str, run: Callable[[], Any]) -> Any:
        """What `run` gives. Raises UsageError, with file and line, for all that the import raises.

        A library that a built-in one needs and that is not installed stays a ModuleNotFoundError.
        """
        try:
            return run()
        except Ending:
            raise
        except BaseException as error:
            if isinstance(error, ModuleNotFoundError) and not self.is_foreign(target):
                raise
            location, why = _origin(error, file)
            raise UsageError(
                f"{location}: cannot import the {self.kind} {target!r}: {why}"
            ) from None

    def _function(self, target: str, module: Any, attribute: str) -> Any:
        function = getattr(module, attribute, None)
        file = getattr(module, "__file__", None) or module.__name__
        if function is None:
            raise UsageError(
                f"{file} has no {attribute!r}: the {self.kind} {target!r} is the function of that name"
            )
        if not callable(function):
            kind = type(function).__name__
            raise UsageError(
                f"{file}: {attribute!r} is no function but of type {kind} ({self.kind} {target!r})"
            )
        return function


def _stem(file: Path) -> str:
    """The module's name: of a folder's __init__.py the folder's."""
    return file.parent.name if file.name == "__init__.py" else file.stem


def _origin(error: BaseException, file: str) -> tuple[str, str]:
    """("FILE:LINE", what happened) of an import that failed; the line is the file's own."""
    text = " ".join(str(error).split())[:300]
    why = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{error.filename}:{error.lineno}", f"{type(error).__name__}: {error.msg}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    name = Path(file).name
    frames_of_file = [f for f in frames if Path(f.filename).name == name] or frames[1:]
    return (
        f"{frames_of_file[-1].filename}:{frames_of_file[-1].lineno}" if frames_of_file else file
    ), why


def digest_of_files(*targets: str) -> dict[str, str]:
    """8 hex digits of the file of each target that has one, "./mine.py:check" or a path; by target.

    What a file of the user's says shapes the records as an option does.
    """
    digests = {}
    for target in targets:
        path = Path(target.rpartition(":")[0] if ".py:" in target else target)
        if path.is_file():
            digests[target] = hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()
    return digests


def parse_options(function: Any, pairs: Iterable[str]) -> dict[str, Any]:
    """["answer_right=3"] as keyword arguments of `function`, in the types of its defaults.

    Raises UsageError for a name the function does not take, or a value of another type.
    """
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function of C
        parameters = inspect.signature(lambda record: None).parameters
    known = {
        name: parameter.default
        for name, parameter in parameters.items()
        if parameter.default is not parameter.empty
    }
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            listed = ", ".join(f"{n}={v}" for n, v in known.items()) or "nothing"
            raise UsageError(
                f"cannot set {pair!r}.{suggest(name, known)} What can be set: {listed}"
            )
        options[name] = parse_value(name, known[name], text)
    return options


def parse_value(name: str, default: Any, text: str) -> Any:
    """The value of an option in the type of its default. Raises UsageError for another type."""
    kind = type(default)
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.strip().lower()]
        return kind(text) if kind in (int, float) else text
    except (ValueError, KeyError):
        raise UsageError(f"{name} is a {kind.__name__}, not {text!r}") from None
