"""A stand-in for an org that costs next to nothing, so that what is measured is the client.

Not an emulator: it judges nothing.
"""
