"""The gateway: settings, command line, HTTP, health, GraphiQL."""
