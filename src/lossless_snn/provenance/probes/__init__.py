"""Probes: a part of a recorded job by the archived sources and by the present ones, compared byte by byte.

`probe` is the same for both kinds of jobs that take long: `trainings` and `simulations` say what is done and compared,
`procedure` runs their commands.
"""
