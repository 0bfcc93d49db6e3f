"""TFE's own side: what a site administrator sees and does under `/api/v2` (JSON:API).

SCIM's settings, tokens, groups and team links, and as much of organisations, teams, users and SAML
settings as those need. An independent reading of the contract's admin section and of what
HashiCorp's clients expect: it shares no logic with `relay.target`.

`site` holds the state, `links` and `people` its rules, `documents` renders it by pure functions,
`surface` is the door, `routes` the way to one module for each family of endpoints.
"""
