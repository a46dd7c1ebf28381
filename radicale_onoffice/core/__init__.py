"""The rules, once: what is offered, to whom, and what a change on a device means.

Nothing here may import a socket, a database, a clock, randomness or Radicale; time is an argument.
"""
