"""What Lambda runs: an event in, the host's reply out. `handler.py` is the entrance, `pipeline.py` the line of rooms."""
