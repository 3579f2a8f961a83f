"""Push an image, deploy the stack, retrain and redeploy."""
