"""A durable SCIM 2.0 relay between identity providers and Terraform Enterprise."""

__version__ = "0.1.0"
