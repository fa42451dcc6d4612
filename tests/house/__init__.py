"""The rules of the house: what the sources, the lock files and the documents must hold."""
