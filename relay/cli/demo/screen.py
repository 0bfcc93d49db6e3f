"""What people see: lines of text, or with `rich` on a terminal one live line above them.

Colours carry nothing that the words do not say.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self

import click

if TYPE_CHECKING:
    from types import TracebackType

    from relay.cli.demo.report import Report


@dataclass(frozen=True, slots=True)
class Progress:
    """How things stand at one moment.

    Attributes:
        asked: requests the IdP has sent.
        accepted: changes the relay has taken.
        queued: of these, waiting.
        delivered: of these, settled at TFE.
        sent: requests that have reached TFE.
        rate: of these, in the last second.
        hold: the holds that stand, or what else is to be said of the relay.
    """

    asked: int
    accepted: int
    queued: int
    delivered: int
    sent: int
    rate: int
    hold: str

    @property
    def line(self) -> str:
        """The same in one line."""
        saved = self.asked - self.sent
        return (
            f"accepted {self.accepted:3} queued {self.queued:3} delivered {self.delivered:3} "
            f"| sent {self.sent:3} saved {saved:3} {self.rate:3}/s | hold {self.hold}"
        )


class Screen(Protocol):
    """Where the demo is shown.

    Attributes:
        every_s: how often it wants to be told of the progress.
    """

    every_s: float

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        ...

    def act(self, title: str) -> None:
        """A new act begins."""
        ...

    def say(self, text: str) -> None:
        """One remark."""
        ...

    def show(self, line: str, *, calm: bool) -> None:
        """How things stand now; `calm` unless something is held or refused."""
        ...


class PlainScreen:
    """Lines, for files, pipes and terminals without `rich`."""

    every_s: float = 1.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def act(self, title: str) -> None:
        """A line of its own, set off by an empty one."""
        click.echo(f"\n== {title}")

    def say(self, text: str) -> None:
        """One line."""
        click.echo(f"   {text}")

    def show(self, line: str, *, calm: bool) -> None:
        """One line."""
        del calm
        click.echo(f"   {line}")


class RichScreen:
    """A live line below the text, several times a second."""

    every_s: float = 0.2

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console: Final = Console(highlight=False)
        self._live: Final = Live(console=self._console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def act(self, title: str) -> None:
        """A line in bold."""
        self._console.print(f"\n== {title}", style="bold", markup=False)

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(f"   {text}", markup=False)

    def show(self, line: str, *, calm: bool) -> None:
        """The live line."""
        from rich.text import Text

        self._live.update(Text(f"   {line}", style="green" if calm else "red"), refresh=True)


def screen_for(*, plain: bool) -> Screen:
    """`rich` on a terminal if it is installed, else plain lines."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if plain or not terminal or importlib.util.find_spec("rich") is None:
        return PlainScreen()
    return RichScreen()


def summarise(report: Report) -> None:
    """The table in plain text, and what is wrong behind the relay, if anything is."""
    head = ("", report.relay.name, report.straight.name)
    rows = [head, *report.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    click.echo()
    for label, mine, other in rows:
        click.echo(f"{label:{widths[0]}}  {mine:>{widths[1]}}  {other:>{widths[2]}}".rstrip())
        if label == "":
            click.echo("-" * (sum(widths) + 4))
    click.echo()
    findings = report.relay.findings
    for word, facts in (("missing", findings.missing), ("not wanted", findings.surplus)):
        for fact in facts[:10]:
            click.echo(f"behind the relay {word}: {' '.join(map(str, fact))}")
    click.echo(
        "Behind the relay TFE holds exactly what the identity provider wants."
        if findings.exact
        else f"NOT right behind the relay: {len(findings.missing)} missing, "
        f"{len(findings.surplus)} not wanted."
    )
