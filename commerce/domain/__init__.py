"""The rules of a checkout: pure, no clock, no randomness, no I/O. Time is passed in."""
