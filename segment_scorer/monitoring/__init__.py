"""Reads what the function logged and decided: drift of logs, and explanations of decisions."""
