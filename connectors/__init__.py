"""One folder for each CRM, with all that is known of it; beside them what they share."""
