"""`scim-relay completion`: prints the script by which a shell completes commands and options.

The script asks `scim-relay` itself at every press of the key, so it never grows stale.
"""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from relay.cli.root import scim_relay

SHELLS: Final = ("bash", "fish", "zsh")
_VARIABLE: Final = "_SCIM_RELAY_COMPLETE"
"""Where click looks for a shell's question, by the program's name."""


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete commands and options.

    Bash takes it for this session by `source <(scim-relay completion bash)`, and for all users
    from the file `/etc/bash_completion.d/scim-relay`. Zsh wants it as a file `_scim-relay` in a
    folder of its `fpath`, fish as `/etc/fish/completions/scim-relay.fish`.
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(scim_relay, {}, "scim-relay", _VARIABLE).source())
