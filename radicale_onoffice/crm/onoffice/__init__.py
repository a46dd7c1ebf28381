"""onOffice's enterprise API as the CRM behind the store."""
