"""What public storefronts send, fetched from their packages."""
