"""What users may set: names, checks, texts, and which one wins."""
