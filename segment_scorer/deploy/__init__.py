"""Deployment: let a host call the function, assign it as a hook, and try a deployed function.

Imports nothing that it deploys; boto3 only when a client is opened.
"""
