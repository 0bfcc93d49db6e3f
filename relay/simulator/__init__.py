"""A stand-in for Terraform Enterprise that keeps its contract and can be told to misbehave."""
