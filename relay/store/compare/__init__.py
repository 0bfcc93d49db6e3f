"""TFE's word on what it holds: read, compared with *confirmed*, adopted or mended."""
