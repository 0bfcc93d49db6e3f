"""The front: bytes of the identity provider in, SCIM answers out (A5, A6, A9, A10, S2).

A request goes `server` (sockets, TLS) -> `guard` (deadlines, number of connections) -> `front`
(one boundary: token, route, deadline, errors, metrics) -> `reads`, `writes` or `documents` ->
`answers`. It never talks to TFE and never sees SQL: all it knows of either is in `ports`.
"""
