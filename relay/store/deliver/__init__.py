"""From a ready lane to a settled change: claim, attempt, verdict, and what a refusal does."""
