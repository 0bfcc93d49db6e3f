"""`python -m relay` is `scim-relay`."""

from relay.cli import main

main()
