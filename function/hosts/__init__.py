"""The hosts: the only modules that know a host's vocabulary."""
