"""The command line `segment-scorer`: one thin file a verb, no logic of its own."""
