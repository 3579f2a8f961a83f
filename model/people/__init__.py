"""Files of people in, endpoint documents out. Never in the function's image."""
