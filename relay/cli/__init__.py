"""The command `scim-relay`: what operators type.

Subcommands live in a module each and are imported when they are asked for, so that `--help` and
`token new` do not pay for the server. No secret is ever an argument: arguments are public (`ps`).
"""

from relay.cli.root import main

__all__ = ["main"]
