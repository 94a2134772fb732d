"""The fault rig: refunds and subscription acts by every way in, broken on purpose at every step, thousands of times.

``python3 run.py rig --runs 20000`` prints the table; `tests/test_rig.py` runs a shorter one on each database. Each case
has a customer of its own in the sandbox, something that goes wrong, time that passes, and a judgement: what the desk
says against what the sandbox's rows say. A case is made from the seed, its part and its number alone, and can be run
again by them.
"""
