"""TFE's SCIM endpoint as a client sees it."""
