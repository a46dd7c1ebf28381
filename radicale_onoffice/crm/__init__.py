"""The CRM behind the store."""
