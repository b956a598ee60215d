"""GraphQL: one function for each operation that W&B's client asks for, by the operation's name."""
