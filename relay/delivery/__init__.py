"""From the store to TFE: which lane next, when, and what a result means for it."""
