"""Tries every assumption of TFE's contract on a TFE that an operator can spare.

`assumption` says what a finding is, `session` sends and remembers what was made, the modules named
after resources hold the assumptions, `runner` goes through them and cleans up.
"""
