"""Groups in groups, and groups larger than TFE takes."""
