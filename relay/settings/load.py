"""Reading the configuration: a TOML file, the environment over it, every problem named at once.

Unknown keys and unknown `SCIM_RELAY_*` variables are refused with the nearest known name: a
misspelt limit that is silently ignored is worse than a daemon that does not start (L9, P9).
"""

from __future__ import annotations

import difflib
import os
import tomllib
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError as EnvironmentUnreadable

from relay.errors import SettingsError
from relay.settings.base import ENV_PREFIX
from relay.settings.model import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

CONFIG_VARIABLE: Final = f"{ENV_PREFIX}CONFIG"


def load(path: Path | None) -> Settings:
    """The settings of a file (None: of the environment alone), frozen and whole.

    Raises:
        SettingsError: with one line for every problem, `key: problem; what would be right`.
    """
    data = {} if path is None else _read(path)
    problems = unknown_variables(os.environ) + _secrets_in_file(data)
    problems += [
        f"{name}: unknown table; {_nearest(name, Settings.model_fields)}"
        for name in data
        if name not in Settings.model_fields
    ]
    known = {name: value for name, value in data.items() if name in Settings.model_fields}
    try:
        settings = Settings(**known)
    except ValidationError as error:
        errors = error.errors()
        faults = [each for each in errors if not _follows(each, errors)]
        raise SettingsError(
            [*problems, *(line for each in faults for line in _explain(each))]
        ) from None
    except EnvironmentUnreadable as error:
        raise SettingsError([*problems, _unreadable(error)]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def variables() -> dict[str, tuple[str, ...]]:
    """Every variable that is read, and the key it sets."""
    names: dict[str, tuple[str, ...]] = {}
    for section, field in Settings.model_fields.items():
        names[f"{ENV_PREFIX}{section}".upper()] = (section,)
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name in model.model_fields:
                names[f"{ENV_PREFIX}{section}__{name}".upper()] = (section, name)
    return names


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """One problem for every variable with our prefix that nothing reads."""
    known = [*variables(), CONFIG_VARIABLE]
    return [
        f"{name}: unknown variable; {_nearest(name.upper(), known)}"
        for name in sorted(environ)
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known
    ]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(
            [f"{path}: cannot be read ({error.strerror}); name a file this user may read"]
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: is not TOML ({error}); mend that line"]) from None


def _secrets_in_file(data: Mapping[str, Any]) -> list[str]:
    target = data.get("target")
    if isinstance(target, dict) and target.get("token"):
        return ["target.token: a secret in the configuration file; move it to target.token_file"]
    return []


def _nearest(name: str, known: Iterable[str]) -> str:
    candidates = list(known)
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(candidates)}"


def _unreadable(error: EnvironmentUnreadable) -> str:
    """pydantic-settings names the top-level field in its text; the fault is JSON that is none."""
    found = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
    variable = f"{ENV_PREFIX}{found}".upper()
    return f"{variable}: is not JSON; lists and tables are written as JSON in the environment"


def _follows(error: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    """Whether a fault only repeats others.

    So does a list that is too short because its items are wrong, and an unknown key that came
    from an unknown variable.
    """
    where = error["loc"]
    if error["type"] == "extra_forbidden" and _variable(where) in os.environ:
        return True
    return error["type"] == "too_short" and any(
        other["loc"][: len(where)] == where and other is not error for other in errors
    )


def _explain(error: ErrorDetails) -> list[str]:
    """The lines for one fault that pydantic found."""
    where = tuple(error["loc"])
    name = _dotted(where)
    match error["type"]:
        case "contradiction":
            prefix = f"{name}." if where else ""
            return [f"{prefix}{at}: {problem}" for at, problem in error["ctx"]["problems"]]
        case "extra_forbidden":
            siblings = _section(where).model_fields
            return [f"{name}: unknown key; {_nearest(str(where[-1]), siblings)}"]
        case "missing":
            return [f"{name}: missing; {_cure(where)}"]
        case "value_error":
            return [f"{_source(name, where)}: {error['msg'].removeprefix('Value error, ')}"]
        case "string_pattern_mismatch":
            return [f"{_source(name, where)}: has characters it may not have; {_cure(where)}"]
    fault = error["msg"][0].lower() + error["msg"][1:].replace("a valid tuple", "a list")
    return [f"{_source(name, where)}: {fault}; {_cure(where)}"]


def _dotted(where: tuple[int | str, ...]) -> str:
    """`connections[1].name`: how an operator would point at it, counted from 1."""
    text = ""
    for part in where:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _source(name: str, where: tuple[int | str, ...]) -> str:
    """The key, with the variable that overrode it if one did."""
    variable = _variable(where)
    return f"{name} (from {variable})" if variable in os.environ else name


def _variable(where: tuple[int | str, ...]) -> str:
    """The variable that sets a key."""
    return f"{ENV_PREFIX}{'__'.join(str(part) for part in where[:2])}".upper()


def _section(where: tuple[int | str, ...]) -> type[BaseModel]:
    """The model in which a key stands."""
    model: type[BaseModel] = Settings
    for part in where[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            inner = model.model_fields[part].annotation
            model = next(
                each
                for each in (inner, *get_args(inner))
                if isinstance(each, type) and issubclass(each, BaseModel)
            )
    return model


def _cure(where: tuple[int | str, ...]) -> str:
    """What would be right: the key's own meaning and an example of it."""
    names = [part for part in where if isinstance(part, str)]
    field: FieldInfo | None = _section(where).model_fields.get(names[-1]) if names else None
    if field is None or not field.description:
        return "see docs/reference/settings.md"
    example = (field.examples or [field.default])[0]
    example = list(example) if isinstance(example, tuple) else example
    shown = f" For example: {example!r}" if field.examples or not field.is_required() else ""
    return f"{field.description}{shown}"
