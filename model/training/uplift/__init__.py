"""Trains and judges models of what a message changes, from campaigns that messaged by lot."""
