"""From a request to a plan: which rank writes to which run."""
