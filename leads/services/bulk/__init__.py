"""Bulk jobs: the same changes for many leads, each lead an operation of its own on the one write path.

``making`` lays a job down, ``steering`` and ``approving`` move it from state to state, ``slices`` is what workers run,
and ``one`` does one lead. The rows are what counts: any process may be killed at any point.
"""
