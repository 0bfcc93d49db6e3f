"""I1: a program's system calls as strace saw them, and its files as a crash would have left them.

Three images of every moment: what a kill leaves (every write happened), what a power cut leaves
(only what was synced), and what a torn one leaves (of the rest, some writes and not others). What a
disk may lose is modelled as ext4 keeps it: a file that was synced is in its folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TRACED = "openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink,close,sendto"
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<name>\w+)\((?P<args>.*)\) += (?P<result>-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")


class Image(Enum):
    KILL = auto()
    POWER_CUT = auto()
    TORN = auto()


@dataclass(frozen=True)
class Call:
    """One system call that succeeded; `data` is its first text, `fd` its first number."""

    name: str
    arguments: str
    result: int
    data: bytes

    @property
    def fd(self) -> int:
        return int(self.arguments.split(",", 1)[0])

    @property
    def numbers(self) -> list[int]:
        """The numbers behind the text, or behind the descriptor."""
        behind = self.arguments.rpartition('"')[2] or self.arguments
        return [int(one) for one in re.findall(r"-?\d+", behind)]


def parsed(lines: Iterable[str]) -> Iterator[Call]:
    """The calls of an `strace -f -xx` log, each where it ended."""
    begun: dict[str, str] = {}
    for line in lines:
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            continue
        pid, rest = found["pid"], found["rest"]
        if rest.endswith(_UNFINISHED):
            begun[pid] = rest.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(rest):
            rest = begun.pop(pid, "") + resumed[1]
        call = _CALL.match(rest)
        if call is None or int(call["result"]) < 0:
            continue
        text = _TEXT.search(call["args"])
        data = bytes.fromhex(text[1].replace("\\x", "")) if text else b""
        yield Call(call["name"], call["args"], int(call["result"]), data)


@dataclass
class _File:
    applied: bytearray = field(default_factory=bytearray)
    synced: bytearray = field(default_factory=bytearray)
    waiting: list[tuple[int, bytes | None]] = field(default_factory=list)
    durable: bool = False


def _put(image: bytearray, at: int, data: bytes | None) -> None:
    """Write `data` at an offset, or (None) cut the file there."""
    if data is None:
        del image[at:]
        image.extend(bytes(at - len(image)))
        return
    if len(image) < at:
        image.extend(bytes(at - len(image)))
    image[at : at + len(data)] = data


class Disk:
    """The files of one folder, as the calls so far have made them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[int, str] = {}
        self._files: dict[str, _File] = {}

    def take(self, call: Call) -> bool:
        """Take a call in; whether it changed what a crash would leave."""
        match call.name:
            case "openat":
                return self._opened(call)
            case "close":
                self._open.pop(call.fd, None)
                return False
            case "unlink":
                return self._files.pop(self._inside(call.data) or "", None) is not None
        name = self._open.get(call.fd) if call.arguments[:1].isdigit() else None
        if name is None:
            return False
        self._written(self._files[name], call)
        return True

    def _inside(self, path: bytes) -> str | None:
        folder, _, name = path.decode(errors="replace").rpartition("/")
        kept = name.endswith((".db", ".db-wal", ".db-journal"))
        return name if folder == str(self._folder) and kept else None

    def _opened(self, call: Call) -> bool:
        name = self._inside(call.data)
        if name is None:
            self._open.pop(call.result, None)
            return False
        self._open[call.result] = name
        self._files.setdefault(name, _File())
        return False

    @staticmethod
    def _written(file: _File, call: Call) -> None:
        match call.name:
            case "pwrite64":
                data, at = call.data[: call.result], call.numbers[-1]
                _put(file.applied, at, data)
                file.waiting.append((at, data))
            case "ftruncate":
                size = call.numbers[1]
                _put(file.applied, size, None)
                file.waiting.append((size, None))
            case "fsync" | "fdatasync":
                file.synced = bytearray(file.applied)
                file.waiting.clear()
                file.durable = True
            case _:
                raise AssertionError(f"a database is not written by {call.name}")

    def lay_out(self, image: Image, folder: Path, chance: random.Random) -> None:
        """Write one image of this moment into a folder."""
        for name, file in self._files.items():
            if image is not Image.KILL and not file.durable:
                continue
            content = bytearray(file.applied if image is Image.KILL else file.synced)
            if image is Image.TORN:
                for at, data in file.waiting:
                    if chance.random() < 0.5:
                        _put(content, at, data)
            (folder / name).write_bytes(content)
