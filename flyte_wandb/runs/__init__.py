"""The runs that are open in this process."""
