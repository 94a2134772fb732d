"""The sandbox: a WSGI application that speaks Kartra's wire, with its state in a SQLite file of its own.

It stands in for Kartra in the demo, in training and in tests, and shares no code with the client it is spoken to by:
what one of them misread, the other would otherwise misread too.
"""
