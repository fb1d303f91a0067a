"""What vendors' own APIs tell at once that registries tell one by one; one file a vendor."""
