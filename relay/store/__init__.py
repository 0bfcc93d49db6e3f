"""Every line of SQL, and the one file it speaks to."""
