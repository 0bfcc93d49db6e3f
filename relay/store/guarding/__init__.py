"""What takes too much away, or touches the protected, waits for an operator (H3)."""
