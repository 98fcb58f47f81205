"""Small stand-ins for Google's services, which the real client libraries talk to."""
