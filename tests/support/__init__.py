"""What end-to-end tests share: a relay in this process, a relay in its own, and an IdP's client."""
