"""Everything around the function: the command line, the runner, the scoring service, deployment."""
