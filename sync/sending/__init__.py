"""What a push does in the CRM, step by step."""
