"""The host side: walks a segment file as the host did, calls the hook, keeps the books."""
