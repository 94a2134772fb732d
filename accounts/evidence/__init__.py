"""Proof that the audit log is whole: its form, its hashes, its signatures.

Pure functions over plain values, with nothing of Django and nothing of ours, so that the same text checks the database
and what was exported from it.
"""
