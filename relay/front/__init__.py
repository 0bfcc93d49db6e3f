"""The SCIM server that identity providers talk to."""
