"""The ground floor: pure rules.

No await, clock, SQL, HTTP, logging or randomness. Values go in, decisions come out. Everything
that another TFE version or another identity provider would change is here.
"""
