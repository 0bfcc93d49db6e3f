"""TFE's own side, as a site administrator sees it: read, judged, told; nothing is changed here.

Optional: without a token for the admin API the relay infers what it can.
"""
