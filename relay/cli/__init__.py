"""The command `scim-relay`."""
