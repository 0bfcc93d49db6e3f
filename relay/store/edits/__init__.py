"""What an accepted write does to *desired*, key by key, and who answers for it."""
