"""What becomes of the data of a run: fetched, kept, uploaded, shown."""
