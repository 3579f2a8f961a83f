"""What a campaign changed: the people messaged against the control group that was not."""
