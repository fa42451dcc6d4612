"""What a field or a mutation means: plain async functions, the context of a request, data loaders."""
