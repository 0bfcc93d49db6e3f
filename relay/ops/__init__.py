"""What operators and their machines ask of a running relay."""
