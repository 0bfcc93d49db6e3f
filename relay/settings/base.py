"""What every table of the configuration is made of: documented keys, and words for contradictions.

Annotations are read at run time by pydantic, hence no `from __future__ import annotations`.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

ENV_PREFIX = "SCIM_RELAY_"


def key(default: Any, description: str, example: Any = None, **limits: Any) -> Any:
    """A documented key; `default` is written as the operator would, and validated."""
    examples = None if example is None else [example]
    return Field(default=default, description=description, examples=examples, **limits)


def contradiction(*problems: tuple[str, str]) -> PydanticCustomError:
    """Keys that are right alone and wrong together: `(key, "problem; what would be right")`."""
    return PydanticCustomError("contradiction", "contradictory", {"problems": problems})


class Section(BaseModel):
    """One table of the file: frozen, and without unknown keys."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, arbitrary_types_allowed=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_switch_for_a_number(cls, value: object, info: ValidationInfo) -> object:
        """To pydantic `true` is the number 1."""
        wanted = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and wanted in (int, float):
            raise PydanticCustomError("number", "Input should be a number, not true or false")
        return value
