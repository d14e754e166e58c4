"""What a person configures: experiments, what to run, prices of operations, styles of figures."""
