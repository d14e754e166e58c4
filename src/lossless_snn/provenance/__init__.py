"""Where every artifact came from: a record of each job that made one, kept beside the artifacts.

`records` writes a record while a job runs and reads it back, `sources` keeps the code that ran,
`verdicts` decides which artifacts are what the present code, parameters and inputs would give, and
`story` tells how one file came about. All of it goes by content; no time stamp is looked at.
"""
