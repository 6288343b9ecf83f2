"""Adversaries: what a dishonest owner of a machine can do below the seams, and what happens to honest ones."""
