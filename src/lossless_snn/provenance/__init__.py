"""Where every artifact came from: a record of each job that made one, kept beside the artifacts.

`plan` says what code a run begins with, `recording` runs a job of it and writes its record, `records` reads
records, `sources` finds the code that ran, `verdicts` decides which artifacts are what the present code,
parameters and inputs would give, and `lineage` shows how one file came about. All of it goes by content; no
time stamp is looked at.
"""
