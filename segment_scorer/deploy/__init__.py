"""Deployment: push the image, deploy the stack, authorise the hosts, assign the hook. Never part of the image; boto3 only when called."""
