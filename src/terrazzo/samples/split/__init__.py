"""Splits: which samples are for training, for validation, for the test; one file a kind."""
