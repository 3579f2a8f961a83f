"""Reads what the function logged and decided: drift of logs, and the explanation of one decision."""
