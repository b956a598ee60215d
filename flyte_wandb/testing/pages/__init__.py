"""Pages: what the links of W&B lead to, as a person sees it."""
